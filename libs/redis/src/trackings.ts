import type { Lane } from './lane.js';
import { Tracking, type TrackingContext } from './tracking.js';
import type { TrackingOptions } from './tracking.options.js';

/** All trackings of one connection: opened, hurried, measured and closed together. */
export class Trackings {
  readonly #all: Tracking[] = [];
  #opened = false;

  constructor(private readonly context: Omit<TrackingContext, 'moved'>) {}

  get lanes(): readonly { readonly role: string; readonly lane: Lane }[] {
    return this.#all.flatMap((each) => each.lanes);
  }

  add(options: TrackingOptions): Tracking {
    const tracking = new Tracking(options, { ...this.context, moved: (coherent) => this.#moved(coherent) });
    this.#all.push(tracking);
    this.#show();
    if (this.#opened) tracking.open();
    return tracking;
  }

  open(): void {
    this.#opened = true;
    for (const each of this.#all) each.open();
  }

  hurry(): void {
    for (const each of this.#all) each.hurry();
  }

  async close(deadlineMs: number): Promise<void> {
    await Promise.all(this.#all.map((each) => each.close(deadlineMs)));
  }

  #moved(coherent: boolean): void {
    if (!coherent) this.context.metrics.trackingLost();
    this.#show();
  }

  #show(): void {
    this.context.metrics.tracking(this.#all.every(({ coherent }) => coherent));
  }
}
