import { slice } from './sorted-ids.js';

const MINUTE_MS = 60_000;

/** How many jobs ended in each of the last minutes, newest first. */
export class JobMetrics {
  #count = 0;
  #previousAt: number | undefined;
  #previousCount = 0;
  #points: number[] = [];

  count(now: number, maxPoints: number): void {
    const before = this.#count++;
    this.#previousAt ??= now;
    const minutes = Math.min(Math.floor(now / MINUTE_MS) - Math.floor(this.#previousAt / MINUTE_MS), maxPoints);
    if (minutes <= 0) return;
    const idle = new Array<number>(minutes - 1).fill(0);
    this.#points = [...idle, before - this.#previousCount, ...this.#points].slice(0, maxPoints);
    this.#previousAt = now;
    this.#previousCount = before;
  }

  /** In the shape in which BullMQ reads it. */
  read(start: number, end: number): [string[], string[], number] {
    const meta = this.#previousAt === undefined ? [] : [this.#count, this.#previousAt, this.#previousCount];
    return [meta.map(String), slice(this.#points, start, end).map(String), this.#points.length];
  }
}
