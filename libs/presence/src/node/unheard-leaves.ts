import type { LocalMember } from './local-members.js';

/** A device that lost its connection when the store could not be told, and its last sign of life by this process' clock. */
export interface UnheardLeave {
  readonly member: LocalMember;
  readonly seenAt: number;
}

/** Devices that are gone and of which the store has not heard that they were here, as long as it matters to their users. */
export class UnheardLeaves {
  readonly #leaves = new Set<UnheardLeave>();

  constructor(private readonly goneAfterMs: number) {}

  add(leave: UnheardLeave): void {
    this.#forgetOld();
    this.#leaves.add(leave);
  }

  /** The store has heard of it. */
  delete(leave: UnheardLeave): void {
    this.#leaves.delete(leave);
  }

  get recent(): readonly UnheardLeave[] {
    return [...this.#leaves].filter((leave) => this.#matters(leave));
  }

  /** They come nearly in the order of their last signs of life. */
  #forgetOld(): void {
    for (const leave of this.#leaves) {
      if (this.#matters(leave)) return;
      this.#leaves.delete(leave);
    }
  }

  #matters({ seenAt }: UnheardLeave): boolean {
    return seenAt + this.goneAfterMs > performance.now();
  }
}
