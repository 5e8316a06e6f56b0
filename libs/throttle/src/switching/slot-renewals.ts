import { outsideRequests } from '@roost/redis';
import type { CountingPlace } from './charge.js';
import type { HeldCharge } from './held-charge.js';

/** One script call must not keep Redis busy. */
const MAX_AT_ONCE = 500;
/** Timers hold 31 bits of milliseconds; nobody dies that seldom. */
const MAX_PAUSE_MS = 3_600_000;

/** Slots of one window, renewed together. */
interface Round {
  readonly pauseMs: number;
  readonly slots: Set<HeldCharge>;
  dueAt: number;
}

/** Renews slots at a third of their window, so that two renewals may fail. One timer for all of them. */
export class SlotRenewals {
  readonly #rounds = new Map<number, Round>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Infinity;

  constructor(private readonly renew: (place: CountingPlace, slots: readonly HeldCharge[]) => Promise<void>) {}

  add(slot: HeldCharge): void {
    const { windowUs } = slot.settlement;
    let round = this.#rounds.get(windowUs);
    if (!round) {
      const pauseMs = Math.min(Math.max(Math.floor(windowUs / 3_000), 1), MAX_PAUSE_MS);
      round = { pauseMs, slots: new Set(), dueAt: performance.now() + pauseMs };
      this.#rounds.set(windowUs, round);
      this.#wakeFor(round);
    }
    round.slots.add(slot);
  }

  delete(slot: HeldCharge): void {
    // An empty round goes when it is due: the next slot often comes soon.
    this.#rounds.get(slot.settlement.windowUs)?.slots.delete(slot);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#rounds.clear();
    this.#wakesAt = Infinity;
  }

  #wakeFor({ dueAt }: Round): void {
    if (dueAt >= this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = dueAt;
    const waitMs = Math.max(dueAt - performance.now(), 1);
    this.#timer = outsideRequests(() => setTimeout(() => this.#wake(), waitMs).unref());
  }

  #wake(): void {
    this.#wakesAt = Infinity;
    const now = performance.now();
    for (const [windowUs, round] of this.#rounds) {
      if (round.slots.size === 0) this.#rounds.delete(windowUs);
      else if (round.dueAt <= now) this.#renewAll(round, now);
    }
    for (const round of this.#rounds.values()) this.#wakeFor(round);
  }

  #renewAll(round: Round, now: number): void {
    round.dueAt = now + round.pauseMs;
    for (const place of ['redis', 'memory', 'insurance'] as const) {
      for (const batch of batchesOf([...round.slots].filter((slot) => slot.place === place))) {
        void this.renew(place, batch);
      }
    }
  }
}

/** Batches of distinct keys, as stores ask for: of each key the first slots together, then the second, and so on. */
function batchesOf(slots: readonly HeldCharge[]): HeldCharge[][] {
  const seen = new Map<string, number>();
  const layers: HeldCharge[][] = [];
  for (const slot of slots) {
    const { name } = slot.settlement.key;
    const layer = seen.get(name) ?? 0;
    seen.set(name, layer + 1);
    (layers[layer] ??= []).push(slot);
  }
  return layers.flatMap((layer) =>
    Array.from({ length: Math.ceil(layer.length / MAX_AT_ONCE) }, (_, i) =>
      layer.slice(i * MAX_AT_ONCE, (i + 1) * MAX_AT_ONCE),
    ),
  );
}
