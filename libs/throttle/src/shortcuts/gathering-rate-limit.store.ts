import type { Commands } from '@roost/redis';
import type { DecideMode, LimitRequest, RateLimitStore, StoreVerdict } from '../stores/rate-limit.store.js';
import { checkRequests } from '../stores/checks.js';
import { Batch, type Demand } from './batch.js';
import { consumeScripts, type ConsumeScripts } from './consume.lua.js';
import { isPlain } from './shape.js';
import { ShortcutStore } from './shortcut.store.js';

/**
 * A call leaves with this many decisions, so that client and server work at the same time: with half of what the last
 * turn had, but with enough of them to be worth a call, and not so many that Redis would be held up.
 */
const FULL = { atLeast: 32, atMost: 128 } as const;

/** One decision that waits for the call in which it is. */
interface Waiting {
  readonly demand: Demand;
  readonly index: number;
  readonly resolve: (verdict: StoreVerdict | Promise<StoreVerdict>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Decides what is asked in one turn of the event loop in one script call, or a few; decisions that ask the same of the
 * same keys are one demand in it. The answers are those of one decision after the other.
 *
 * A decision that comes alone leaves at once, and none waits beyond the end of its turn.
 */
export class GatheringRateLimitStore extends ShortcutStore {
  #batch = new Batch();
  #waiting: Waiting[] = [];
  /** Decisions of this turn that wait or have left; 0 before the first. */
  #gathered = 0;
  #full: number = FULL.atLeast;
  /** Calls that are not answered yet. */
  #underWay = 0;
  /** Whether the last turn had several decisions: then the first of the next one is hardly alone, either. */
  #crowded = false;

  constructor(
    inner: RateLimitStore,
    private readonly commands: Commands,
    private readonly scripts: ConsumeScripts = consumeScripts(),
  ) {
    super(inner);
  }

  override decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    if (mode === 'peek' || !areGathered(limits)) return this.inner.decide(limits, mode);
    if (this.#underWay === 0 && !this.#crowded) return this.#alone(limits);
    return new Promise((resolve, reject) => {
      checkRequests(limits, mode);
      const demand = this.#batch.add(limits, 1);
      this.#waiting.push({ demand, index: demand.times - 1, resolve, reject });
      if (this.#gathered++ === 0) setImmediate(this.#endTurn);
      if (this.#waiting.length >= this.#full || this.#batch.size >= FULL.atMost) this.#leave();
    });
  }

  readonly #endTurn = () => {
    this.#crowded = this.#gathered > 1;
    this.#full = Math.min(Math.max(this.#gathered / 2, FULL.atLeast), FULL.atMost);
    this.#gathered = 0;
    if (this.#waiting.length > 0) this.#leave();
  };

  #alone(limits: readonly LimitRequest[]): Promise<StoreVerdict> {
    this.#underWay++;
    return this.inner.decide(limits, 'consume').then(
      (verdict) => {
        this.#underWay--;
        return verdict;
      },
      (error) => {
        this.#underWay--;
        throw error;
      },
    );
  }

  #leave(): void {
    const [batch, waiting] = [this.#batch, this.#waiting];
    this.#batch = new Batch();
    this.#waiting = [];
    void this.#settle(batch, waiting);
  }

  async #settle(batch: Batch, waiting: readonly Waiting[]): Promise<void> {
    const [first] = waiting;
    if (waiting.length === 1) return first!.resolve(this.#alone(first!.demand.limits));
    this.#underWay++;
    try {
      await batch.send(this.commands, this.scripts);
    } catch (error) {
      // Nobody asks again: what became of the call may be unknown, and each decision has its own policy for that.
      for (const { reject } of waiting) reject(error);
      return;
    } finally {
      this.#underWay--;
    }
    for (const { demand, index, resolve } of waiting) {
      resolve(demand.answered ? demand.verdict(index) : this.inner.decide(demand.limits, 'consume'));
    }
  }
}

function areGathered(limits: readonly LimitRequest[]): boolean {
  return limits.length > 0 && limits.length <= FULL.atLeast && limits.every(isPlain);
}
