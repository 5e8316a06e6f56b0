import type { LoggerService, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { show, type Duration } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import type { Limit } from '../policies/limit.js';
import { modeProblems } from '../policies/limit-mode.js';
import type { RateLimitPolicies } from '../policies/rate-limit.policies.js';
import { InvalidRolloutError, UnknownPolicyError } from '../throttle.errors.js';
import type { LimitMode } from '../throttle.options.js';
import type { LimitChange, RateLimitControls } from './rate-limit.controls.js';
import { changeOf, isPercent, readOrders, type CanaryOrder, type Orders } from './rollout.orders.js';
import { SharedOrders, type SharedOrdersOptions } from './shared-orders.js';
import type { StopLoss, StopLossTrip } from './stop-loss.js';

/** Who follows an order: all processes; or this one, until Redis is there to tell the others. */
export type RolloutReach = 'everywhere' | 'here';

/** What is in force beside the options. */
export interface RolloutState {
  readonly paused: boolean;
  /** The percentage of subjects that Redis decides: 0 after a stop-loss. */
  readonly canaryPercent: number;
  /** By the names of limits, those that were changed. */
  readonly modes: Readonly<Record<string, LimitMode>>;
  readonly limits: Readonly<Record<string, { readonly limit: number; readonly windowMs?: number }>>;
  /** Why this process gave Redis up for being slow, if it did. */
  readonly stopLoss: StopLossTrip | null;
}

export interface RateLimitRolloutParts {
  readonly policies: RateLimitPolicies;
  readonly controls: RateLimitControls;
  readonly stopLoss: StopLoss;
  /** The module's option, for when nothing is ordered. */
  readonly canaryPercent: number;
  readonly logger: LoggerService;
  readonly share: (options: Pick<SharedOrdersOptions, 'onOrders' | 'onProblem'>) => SharedOrders;
}

/**
 * Changes the limits of a running service: here at once, and in every process that shares the Redis within a second. An
 * order outlives restarts, until `reset` or until no process asked for it for 30 days.
 * @example
 * await rollout.setMode('login.user', { canary: 0.25 });
 * await rollout.setLimit('search', { limit: 50, window: '1m' });
 * await rollout.pause(); // the kill switch
 */
export class RateLimitRollout implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #shared: SharedOrders;
  readonly #listeners = new Set<() => void>();
  #applied = '[]';
  #canary: CanaryOrder | undefined;

  constructor(private readonly parts: RateLimitRolloutParts) {
    this.#shared = parts.share({
      onOrders: (orders) => this.#apply(orders),
      onProblem: (problem) => this.#complain(problem),
    });
  }

  /** Lets every request pass uncounted, also those whose limits are `closed` in an outage. */
  pause(): Promise<RolloutReach> {
    return this.#order({ paused: true });
  }

  /** Counts again: what was counted before the pause still counts. */
  resume(): Promise<RolloutReach> {
    return this.#order({ paused: null });
  }

  /**
   * Sends this percentage of subjects to Redis, and ends a stop-loss.
   * @throws InvalidRolloutError, which is a RangeError, when it is none.
   */
  async setCanaryPercent(percent: number): Promise<RolloutReach> {
    if (!isPercent(percent)) {
      throw new InvalidRolloutError(`Expected a percentage from 0 to 100, got ${show(percent)}`);
    }
    return this.#order({ canary: { percent, id: randomUUID() } });
  }

  /** Enforces, only counts, or enforces for a share of subjects: all limits of a policy, or one by its own name. */
  async setMode(policy: string, mode: LimitMode): Promise<RolloutReach> {
    const limits = this.#limits(policy);
    const problems = limits.flatMap(({ algorithm, count }) => modeProblems({ mode: mode ?? null!, algorithm, count }));
    if (problems.length > 0) throw new InvalidRolloutError(problems[0]!);
    return this.#order(Object.fromEntries(limits.map(({ name }) => [`mode:${name}`, mode])));
  }

  /**
   * Changes a limit, by its own name. What was used stays used; what remains is computed anew, never below 0. With `gcra`
   * it is a share of the limit that is used: who has used half of it has half of the new one left. Without a window the
   * limit's own stays. With a shorter one, limits that count in windows begin anew; with a longer one, what they counted
   * in the last window counts in the present one.
   */
  async setLimit(
    policy: string,
    change: { readonly limit: number; readonly window?: Duration },
  ): Promise<RolloutReach> {
    const [limit, ...others] = this.#limits(policy);
    if (others.length > 0) {
      const names = [limit!, ...others].map(({ name }) => name).join(', ');
      throw new InvalidRolloutError(`Policy "${policy}" has several limits. Change one of them: ${names}`);
    }
    const { name, quota, algorithm } = limit!;
    if (algorithm === 'calendar' && change.window !== undefined) {
      throw new InvalidRolloutError(`"${name}" counts by the calendar: only its \`limit\` can be changed`);
    }
    if (typeof quota === 'string') {
      throw new InvalidRolloutError(`"${name}" is '${quota}': it has no limit of its own that could be changed`);
    }
    return this.#order({ [`limit:${name}`]: read(change, quota, algorithm) });
  }

  /** Takes back every order, and ends a stop-loss here. */
  reset(): Promise<RolloutReach> {
    this.parts.stopLoss.reset();
    this.refresh();
    return this.#order({}, 'anew');
  }

  state(): RolloutState {
    const { paused, canaryPercent, modes, changes } = this.parts.controls;
    return {
      paused,
      canaryPercent,
      modes: Object.fromEntries(modes),
      limits: Object.fromEntries([...changes].map(([name, change]) => [name, shown(change)])),
      stopLoss: this.parts.stopLoss.trip ?? null,
    };
  }

  /** Calls the listener whenever something of the state has changed, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A check in Redis took so long; `Infinity` when it was given up. @internal */
  checked(ms: number): void {
    this.parts.stopLoss.took(ms);
  }

  /** The stop-loss tripped, or was reset. @internal */
  refresh(): void {
    this.parts.controls.canaryPercent = this.parts.stopLoss.trip
      ? 0
      : (this.#canary?.percent ?? this.parts.canaryPercent);
    for (const listener of this.#listeners) listener();
  }

  onApplicationBootstrap(): void {
    this.#shared.start();
  }

  onModuleDestroy(): void {
    this.#shared.stop();
  }

  async #order(changes: Orders, how?: 'anew'): Promise<RolloutReach> {
    return (await this.#shared.order(changes, how)) ? 'everywhere' : 'here';
  }

  #apply(orders: Orders): void {
    const text = JSON.stringify(Object.entries(orders).sort(([a], [b]) => (a < b ? -1 : 1)));
    if (text === this.#applied) return;
    this.#applied = text;
    const problems: string[] = [];
    const { paused, canary, modes, changes } = readOrders(orders, problems);
    const { controls, stopLoss, logger } = this.parts;
    if (canary?.id !== this.#canary?.id) stopLoss.reset();
    if (paused && !controls.paused) {
      logger.error('All rate limits are PAUSED: every request passes uncounted.', { event: 'throttle.paused' });
    } else if (!paused && controls.paused) {
      logger.warn('Rate limits count again.', { event: 'throttle.resumed' });
    }
    this.#canary = canary;
    Object.assign(controls, { paused, modes, changes, turned: paused || modes.size > 0 || changes.size > 0 });
    if (problems.length > 0) this.#complain(`Not understood: ${problems.join(', ')}`);
    this.refresh();
    logger.log('Rate limits were changed.', { event: 'throttle.rollout', ...this.state() });
  }

  #complain(problem: string): void {
    this.parts.logger.error(`Rate limit orders: ${problem}.`, { event: 'throttle.rollout' });
  }

  /** The limits of a policy, or the one of this name. */
  #limits(policy: string): readonly Limit[] {
    const { policies } = this.parts;
    const all = [...policies.all];
    const own = all.filter(({ name }) => name === policy);
    const found = own.length > 0 ? own : all.filter(({ name, part }) => name === `${policy}.${part}`);
    if (found.length === 0)
      throw new UnknownPolicyError(
        policy,
        all.map(({ name }) => name),
      );
    return found;
  }
}

function read(change: Parameters<typeof changeOf>[0], quota: Quota, algorithm: AlgorithmName): LimitChange {
  try {
    return changeOf(change, quota, algorithm);
  } catch (error) {
    throw new InvalidRolloutError((error as Error).message);
  }
}

function shown({ limit, windowUs }: LimitChange): { limit: number; windowMs?: number } {
  return windowUs === undefined ? { limit } : { limit, windowMs: windowUs / 1_000 };
}
