import { expect } from '@jest/globals';
import fc from 'fast-check';
import { RW_UNITS, type ClaimOutcome, type LockClaim } from '../stores/lock.store.js';
import { Bench, vectorsOf, type Asked, type LockFeature, type LockVector, type OpenedLockStore } from './bench.js';
import { LockModel } from './model.js';

type Deed = 'ask' | 'extend' | 'release' | 'hand' | 'withdraw' | 'force';
/** `to` is whom a claim is handed to; a step without a deed lets time go by. */
type Step = { readonly deed: Deed; readonly who: number; readonly to: number } | { readonly passMs: number };

const KEYS = ['a', 'b'];
const CLAIMS = 6;

// No sum of these passes is within a second of a lifetime or of WAITER_TTL_MS, so that it does not matter that a real
// server's clock goes on.
const PASSES_MS = [4_000, 7_000];
const TTLS_MS = [10_000, 17_000];

const one = fc.nat({ max: CLAIMS - 1 });
const deeds = (...some: Deed[]) => fc.record({ deed: fc.constantFrom(...some), who: one, to: one });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: deeds('ask') },
    { weight: 4, arbitrary: deeds('extend', 'release', 'hand', 'withdraw', 'force') },
    { weight: 1, arbitrary: fc.record({ passMs: fc.constantFrom(...PASSES_MS) }) },
  ),
  { minLength: 1, maxLength: 40 },
);

function claims(waits: boolean, of: fc.Arbitrary<Asked>): fc.Arbitrary<readonly Asked[]> {
  const rest = fc.record({ ttlMs: fc.constantFrom(...TTLS_MS), wait: waits ? fc.boolean() : fc.constant(false) });
  const each = fc.tuple(of, rest).map(([asked, more]) => ({ ...asked, ...more }));
  return fc.array(each, { minLength: CLAIMS, maxLength: CLAIMS });
}

const mutexes = fc.constantFrom(['a'], ['a'], ['b'], KEYS).map((keys): Asked => ({ keys }));
const readsAndWrites = fc
  .constantFrom(1, 1, 1, RW_UNITS)
  .map((weight): Asked => ({ kind: 'rw', weight, limit: RW_UNITS }));
const permits = fc
  .record({ weight: fc.integer({ min: 1, max: 3 }), limit: fc.constantFrom(3, 3, 3, 3, 4) })
  .map((asked): Asked => ({ kind: 'semaphore', ...asked }));

/** Any schedule of claims has the same outcomes as in {@link LockModel}. */
export function properties(runs: number): LockVector[] {
  const as = (waits: boolean, of: fc.Arbitrary<Asked>) => (bench: Bench) => {
    const cases = fc.tuple(claims(waits, of), steps);
    return fc.assert(
      fc.asyncProperty(cases, ([asked, schedule]) => check(bench.opened, asked, schedule)),
      { numRuns: runs },
    );
  };
  const needs = (...features: LockFeature[]) => features;
  return [
    ...vectorsOf(needs(), { 'any schedule of mutexes does as the model': as(false, mutexes) }),
    ...vectorsOf(needs('queue'), { 'any schedule of waiting mutexes does as the model': as(true, mutexes) }),
    ...vectorsOf(needs('queue', 'rw'), {
      'any schedule of readers and writers does as the model': as(true, readsAndWrites),
    }),
    ...vectorsOf(needs('queue', 'semaphore'), { 'any schedule of semaphores does as the model': as(true, permits) }),
  ];
}

async function check(opened: OpenedLockStore, asked: readonly Asked[], schedule: readonly Step[]): Promise<void> {
  const trial = new Trial(new Bench(opened), asked);
  for (const step of schedule) {
    if ('passMs' in step) await trial.pass(step.passMs);
    else await trial.do(step.deed, step.who, step.to);
    await trial.compareReports();
  }
}

/** Does the same with the store and the model, and compares what they say. */
class Trial {
  readonly #model = new LockModel();
  readonly #claims: readonly LockClaim[];
  /** The last grant of each claim. */
  readonly #granted: { grant: number; token: bigint }[];
  readonly #newest = new Map<string, bigint>();
  #grants = 0;

  constructor(
    readonly bench: Bench,
    asked: readonly Asked[],
  ) {
    this.#claims = asked.map((each) => bench.claim(each));
    this.#granted = asked.map(() => ({ grant: 0, token: 0n }));
  }

  async pass(ms: number): Promise<void> {
    await this.bench.opened.pass(ms);
    this.#model.pass(ms);
  }

  async do(deed: Deed, who: number, to: number): Promise<void> {
    const { store } = this.bench;
    const claim = this.#claims[who]!;
    const hold = { ...claim, token: this.#granted[who]!.token };
    const next = this.#claims[to]!;
    if (deed === 'ask') {
      this.#compare(who, await store.acquire(claim));
    } else if (deed === 'extend') {
      expect(await store.extend([hold])).toEqual([this.#model.extend(claim, this.#granted[who]!.grant)]);
    } else if (deed === 'force') {
      const taken = await store.force(claim.kind, claim.keys[0]!);
      const expected = this.#model.force(claim.keys[0]!);
      expect(taken.map(({ holder }) => holder).toSorted()).toEqual(expected.toSorted());
    } else if (deed === 'withdraw' || this.#model.waits(claim)) {
      await store.withdraw(claim); // nobody releases what he waits for
      this.#model.release(claim);
    } else if (deed === 'release' || who === to || next.keys.join() !== claim.keys.join()) {
      expect(await store.release(hold)).toEqual({ outcome: this.#model.release(claim), next: undefined });
    } else {
      const released = await store.release(hold, next);
      expect(released.outcome).toBe(this.#model.release(claim));
      this.#compare(to, released.next!);
    }
  }

  async compareReports(): Promise<void> {
    for (const key of KEYS.map((each) => this.bench.key(each))) {
      const { holders, waiting } = await this.bench.store.inspect(this.#claims[0]!.kind, key);
      expect(holders.map(({ holder }) => holder).toSorted()).toEqual(this.#model.holders(key).toSorted());
      expect(waiting).toBe(this.#model.waiting(key));
    }
  }

  #compare(who: number, got: ClaimOutcome): void {
    const claim = this.#claims[who]!;
    const { state, grant } = this.#model.ask(claim);
    expect(got.state).toBe(state);
    if (got.state !== 'granted') return;
    if (grant! > this.#grants) {
      for (const key of claim.keys) {
        expect(got.token > (this.#newest.get(key) ?? 0n)).toBe(true);
        this.#newest.set(key, got.token);
      }
      this.#grants = grant!;
      this.#granted[who] = { grant: grant!, token: got.token };
    }
    expect({ grant, token: got.token }).toEqual(this.#granted[who]);
  }
}
