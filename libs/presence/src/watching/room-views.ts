import type { PubSub } from '@roost/redis';
import type { NodeListener, PresenceNode } from '../node/presence.node.js';
import type { Topic } from '../stores/presence.store.js';
import { roomTopic } from '../stores/topics.js';
import { RoomView, type ViewParts } from './room-view.js';

/** The rooms that somebody in this process watches: one view each, for as long as somebody does. */
export class RoomViews implements NodeListener {
  readonly #byTopic = new Map<string, { readonly view: RoomView; watchers: number }>();
  readonly #onEnd = new Set<() => void>();

  constructor(private readonly parts: ViewParts & { readonly node: PresenceNode; readonly pubsub: PubSub }) {
    parts.node.on(this);
    parts.pubsub.onGap(({ phase }) => {
      if (phase === 'restored') for (const { view } of this.#byTopic.values()) void view.resync();
    });
  }

  get size(): number {
    return this.#byTopic.size;
  }

  /** The view of a room, until `leave` is called as often as this. */
  enter(room: string): RoomView {
    const { name } = roomTopic(room);
    let entry = this.#byTopic.get(name);
    if (entry === undefined) {
      entry = { view: new RoomView(room, this.parts), watchers: 0 };
      this.#byTopic.set(name, entry);
    }
    entry.watchers++;
    return entry.view;
  }

  leave(view: RoomView): void {
    const entry = this.#byTopic.get(view.topic.name);
    if (entry?.view !== view || --entry.watchers > 0) return;
    this.#byTopic.delete(view.topic.name);
    view.close();
  }

  /** Calls the listener when the process is about to end, until the returned function is called. */
  onEnd(listener: () => void): () => void {
    this.#onEnd.add(listener);
    return () => this.#onEnd.delete(listener);
  }

  /** The process is about to end, and so do all streams: a server waits for its responses. Returns how many there were. */
  end(): number {
    const listeners = [...this.#onEnd];
    for (const listener of listeners) listener();
    return listeners.length;
  }

  lost(): void {
    for (const { view } of this.#byTopic.values()) void view.reachabilityChanged();
  }

  returned(): void {
    for (const { view } of this.#byTopic.values()) void view.reachabilityChanged();
  }

  local(topic: Topic, userId: string): void {
    this.#byTopic.get(topic.name)?.view.local(userId);
  }

  /** Ends all views. */
  close(): void {
    for (const { view } of this.#byTopic.values()) view.close();
    this.#byTopic.clear();
  }
}
