import type { DeviceUpdate } from '../stores/presence.store.js';
import { fieldOf } from '../stores/wire.js';
import type { PresenceEvent } from '../watching/presence.event.js';

/** What several changes of a room come to. */
export class PresenceSummary {
  readonly #came = new Set<string>();
  readonly #went = new Set<string>();
  readonly #updates = new Map<string, DeviceUpdate>();
  readonly #first: PresenceEvent;
  #last: PresenceEvent;
  #isState = false;

  constructor(event: PresenceEvent) {
    this.#first = this.#last = event;
    this.add(event);
  }

  add(event: PresenceEvent): void {
    this.#last = event;
    if (event.state) {
      this.#isState = true;
      for (const list of [this.#came, this.#went, this.#updates]) list.clear();
    }
    for (const { userId } of event.joins) if (!this.#went.delete(userId)) this.#came.add(userId);
    for (const { userId } of event.leaves) if (!this.#came.delete(userId)) this.#went.add(userId);
    for (const update of event.updates ?? []) this.#updates.set(fieldOf(update), update);
  }

  /** All of them as one. */
  get event(): PresenceEvent {
    const { room, version, partial } = this.#last;
    return {
      room,
      ...(this.#isState && { state: true }),
      since: this.#first.since,
      version,
      joins: [...this.#came].map((userId) => ({ userId })),
      leaves: [...this.#went].map((userId) => ({ userId })),
      ...(this.#updates.size > 0 && { updates: [...this.#updates.values()] }),
      ...(partial && { partial }),
    };
  }
}
