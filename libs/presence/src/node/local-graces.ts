import { outsideRequests } from '@roost/redis';
import { SEPARATOR } from '../stores/wire.js';
import type { Topic } from '../stores/presence.store.js';
import { LATE_MS } from './graces.js';

/** While the store is away: until when users whose devices have gone from this process are waited for. */
export class LocalGraces {
  readonly #endAt = new Map<string, number>();

  constructor(private readonly over: (topic: Topic, userId: string) => void) {}

  /** A device has gone; of several, the one that is waited for longest counts. */
  begin(topic: Topic, userId: string, forMs: number): void {
    const place = topic.name + SEPARATOR + userId;
    const endsAt = performance.now() + forMs;
    this.#endAt.set(place, Math.max(endsAt, this.#endAt.get(place) ?? 0));
    const end = () => {
      if ((this.#endAt.get(place) ?? 0) > performance.now()) return;
      this.#endAt.delete(place);
      this.over(topic, userId);
    };
    outsideRequests(() => setTimeout(end, forMs + LATE_MS).unref());
  }
}
