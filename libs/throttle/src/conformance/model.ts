import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import type { DecideMode, RateLimitStore } from '../stores/rate-limit.store.js';
import { asks } from './arbitraries.js';
import { Bench, EPOCH_US, type Ask, type OpenedRateLimitStore } from './bench.js';

/** One thing that is done to a store; `which` picks a limit, or what was held before. */
type Action =
  | {
      readonly do: 'decide';
      readonly mode: DecideMode;
      readonly costs: readonly number[];
      readonly hold: number;
      readonly more: number;
    }
  | { readonly do: 'settle'; readonly which: number; readonly cost: number }
  | { readonly do: 'renew'; readonly which: number }
  | { readonly do: 'adjust'; readonly which: number; readonly cost: number }
  | { readonly do: 'block'; readonly which: number; readonly forMs: number }
  | { readonly do: 'unblock' | 'reset' | 'violations'; readonly which: number }
  | { readonly do: 'wait'; readonly us: number };

const which = fc.nat({ max: 30 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('decide' as const),
      mode: fc.constantFrom<DecideMode>('consume', 'consume', 'consume', 'peek'),
      costs: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 }),
      // Not held, held for good, or for so many ms.
      hold: fc.oneof(fc.constantFrom(-1, 0), fc.integer({ min: 1, max: 20_000 })),
      more: fc.constantFrom(0, 0, 0, -1, 5), // limits change
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), us: waits() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), which, cost: fc.nat({ max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('adjust' as const), which, cost: fc.integer({ min: -15, max: 15 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('block' as const), which, forMs: fc.integer({ min: 1, max: 9_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('unblock' as const, 'reset' as const, 'violations' as const), which }),
  },
);

const blockRules = fc.option(
  fc.record({
    after: fc.integer({ min: 1, max: 3 }),
    forMs: fc.integer({ min: 1, max: 9_000 }),
    withinMs: fc.integer({ min: 1, max: 9_000 }),
  }),
  { nil: undefined },
);

const limits = fc.array(
  fc.tuple(asks, blockRules).map(([ask, block]): Ask => (block ? { ...ask, block } : ask)),
  { minLength: 1, maxLength: 3 },
);

/** Whatever is done to a store, and at whatever times: it answers as the in-memory store, and every key expires. */
export function models(opened: () => OpenedRateLimitStore, runs: number): void {
  it('24, 45: any mix of operations has the results of the in-memory store', () =>
    fc.assert(
      fc.asyncProperty(limits, fc.array(action, { minLength: 1, maxLength: 40 }), async (tiers, actions) => {
        let nowUs = EPOCH_US;
        const bench = await new Bench(opened()).at(0);
        // Swept, it would forget what a clock that is set back still counts.
        const reference = new MemoryRateLimitStore({ nowUs: () => nowUs, sweepMs: 2 ** 31 - 1 });
        const named = tiers.map((ask, i) => ({ ...ask, policy: `tier-${i}` }));
        const both = new Both(bench, reference, named);
        for (const each of actions) {
          if (each.do === 'wait') await bench.at(((nowUs += each.us) - EPOCH_US) / 1_000_000);
          else await both.act(each);
          await both.expectExpiries();
        }
        reference.close();
      }),
      { numRuns: runs },
    ));
}

/** Does everything twice, and compares. */
class Both {
  readonly #held: { readonly ask: Ask; readonly id: string }[] = [];

  constructor(
    private readonly bench: Bench,
    private readonly reference: RateLimitStore,
    private readonly asks: readonly Ask[],
  ) {}

  async act(action: Exclude<Action, { do: 'wait' }>): Promise<void> {
    if (action.do === 'decide') {
      const requests = action.costs.slice(0, this.asks.length).map((cost, i) => this.#requestOf(i, cost, action));
      return this.#same((store) => store.decide(requests, action.mode));
    }
    const ask = this.asks[action.which % this.asks.length]!;
    const key = this.bench.keyOf(ask);
    switch (action.do) {
      case 'settle':
      case 'renew': {
        const held = this.#held[action.which % this.#held.length];
        if (held === undefined) return;
        const cost = 'cost' in action ? action.cost : 0;
        const settlement = this.bench.settlementOf(held.ask, held.id, cost);
        return this.#same((store) => store[action.do]([settlement]));
      }
      case 'adjust':
        return this.#same((store) => store.adjust([this.bench.requestOf({ ...ask, cost: action.cost })]));
      case 'block':
        return this.#same((store) => store.block([key], action.forMs));
      case 'unblock':
        return this.#same((store) => store.unblock([key]));
      case 'reset': // what has expired may be there still, or not
        return this.#same((store) => store.reset([key, this.bench.violationsKeyOf(ask)]).then(() => undefined));
      case 'violations':
        return this.#same((store) => store.violations([this.bench.violationsKeyOf(ask)]));
    }
  }

  async expectExpiries(): Promise<void> {
    const { ttlMs } = this.bench.opened;
    if (!ttlMs) return;
    const keys = this.asks.flatMap((ask) => [this.bench.keyOf(ask), this.bench.violationsKeyOf(ask)]);
    for (const ttl of await Promise.all(keys.map((key) => ttlMs(key)))) expect(ttl).not.toBe(-1);
  }

  #requestOf(index: number, cost: number, { hold: holdMs, more }: Extract<Action, { do: 'decide' }>) {
    const usual = this.asks[index]!;
    const ask: Ask = { ...usual, limit: usual.limit + more, cost };
    if (holdMs < 0 && ask.algorithm !== 'concurrency') return this.bench.requestOf(ask);
    const id = `hold-${this.#held.length}`;
    this.#held.push({ ask, id });
    return this.bench.requestOf({ ...ask, hold: id, ...(holdMs > 0 && { holdMs }) });
  }

  async #same<T>(run: (store: RateLimitStore) => Promise<T>): Promise<void> {
    expect(await run(this.bench.opened.store)).toEqual(await run(this.reference));
  }
}

function waits(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: 0, max: 1_000 }),
    fc.integer({ min: 0, max: 20_000_000 }),
    fc.integer({ min: -5_000_000, max: 0 }),
    fc.constantFrom(43_200_000_000, 90_000_000_000, -86_400_000_000),
  );
}
