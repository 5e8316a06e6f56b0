import { type Entry, workerOf } from '../history.js';

interface Spell {
  readonly touches: string;
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** When whom something happened to: what is promised of calm times is judged in calm times only. */
export class Weather {
  readonly #spells: readonly Spell[];

  /** @param aftermath for how long after a fault of this name and reach what it touched is not calm yet */
  constructor(history: readonly Entry[], aftermath: (touches: string, name: string) => bigint) {
    const begun = new Map<number, Entry>();
    const spells: Spell[] = [];
    const close = (fault: Entry, at: bigint) => {
      const { touches = 'all', why: name = '' } = fault;
      spells.push({ touches, name, from: fault.t, to: at + aftermath(touches, name) });
    };
    for (const entry of history) {
      const id = entry.n ?? 0;
      if (entry.f === 'fault') begun.set(id, entry);
      const fault = entry.f === 'heal' ? begun.get(id) : undefined;
      if (fault) {
        close(fault, entry.t);
        begun.delete(id);
      }
      // A process that stood still, or was started anew, is one that something happened to, whoever did it.
      const stoodFor = entry.f === 'stall' ? BigInt(Math.round(entry.ms ?? 0)) * 1_000_000n : undefined;
      if (stoodFor !== undefined) {
        spells.push({ touches: workerOf(entry), name: 'stall', from: entry.t - stoodFor, to: entry.t });
      }
    }
    const last = history.at(-1)?.t ?? 0n;
    for (const fault of begun.values()) close(fault, last);
    this.#spells = spells;
  }

  /** Whether nothing touched the worker, or everybody, in this time. */
  calm(worker: string, from: bigint, to: bigint): boolean {
    return !this.#spells.some(
      (spell) => (spell.touches === 'all' || spell.touches === worker) && spell.from < to && spell.to > from,
    );
  }

  /** The moment the last fault of the nemesis was healed. */
  static lastHeal(history: readonly Entry[]): bigint {
    return history.findLast(({ f, p }) => f === 'heal' && p === 'nemesis')?.t ?? history[0]?.t ?? 0n;
  }
}
