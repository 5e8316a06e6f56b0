import { outsideRequests } from '@roost/redis';
import type { Topic } from '../stores/presence.store.js';

interface Waiting {
  readonly topic: Topic;
  dueAt: number;
  timer: NodeJS.Timeout;
}

/** Timers are early by a part of a millisecond, and clocks differ by more. */
export const LATE_MS = 3;

/** Knows in which topics graces of users run that this process looks after, and when the next of each is over. */
export class Graces {
  readonly #byTopic = new Map<string, Waiting>();
  #closed = false;

  constructor(private readonly due: (topic: Topic) => void) {}

  has({ name }: Topic): boolean {
    return this.#byTopic.has(name);
  }

  /** A grace of the topic is over in so many ms; what is known to be over earlier comes first. */
  schedule(topic: Topic, inMs: number): void {
    if (this.#closed) return;
    const dueAt = performance.now() + inMs + LATE_MS;
    const waiting = this.#byTopic.get(topic.name);
    if (waiting !== undefined && waiting.dueAt <= dueAt) return;
    clearTimeout(waiting?.timer);
    const ring = () => {
      this.#byTopic.delete(topic.name);
      this.due(topic);
    };
    const timer = outsideRequests(() => setTimeout(ring, inMs + LATE_MS).unref());
    this.#byTopic.set(topic.name, { topic, dueAt, timer });
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#byTopic.values()) clearTimeout(timer);
  }
}
