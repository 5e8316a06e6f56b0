import { Injectable } from '@nestjs/common';
import { InvalidOptionsError, toMs, type Duration } from '@roost/redis';
import { channel } from 'node:diagnostics_channel';
import { Charges, checked, costOf, nameFor, type ConsumeOptions, type Subject } from './charges.js';
import type { Decision } from './decision.js';
import { durationProblem, type Limit } from './policies/limit.js';
import { RateLimitPolicies } from './policies/rate-limit.policies.js';
import { EarlyRefusals } from './requests/early-refusals.js';
import { RateLimitSubjects } from './requests/rate-limit.subjects.js';
import { reservationOf, type Reservation, type ReserveOptions } from './reservation.js';
import type { DecideMode } from './stores/rate-limit.store.js';
import { BlockLog } from './switching/block-log.js';
import { keyOf } from './switching/charge.js';
import { HeldCharges } from './switching/held-charges.js';
import { RateLimitRecords, type SubjectOf } from './switching/rate-limit.records.js';
import { RateLimitSwitch, type Charge, type Ruling } from './switching/rate-limit.switch.js';
import { decisionFrom } from './switching/rulings.js';
import { ThrottleConfig } from './throttle.config.js';
import { ReservationRequiredError } from './throttle.errors.js';
import { ThrottleMetrics } from './throttle.metrics.js';
import type { PolicyRef } from './throttle.options.js';

/** Published on `roost:throttle:decision` after each decision that was charged. It names no subject. */
export interface DecisionMessage {
  readonly decision: Decision;
  readonly durationMs: number;
}

/** A policy's name, a policy object, or several of them. */
type Policies = PolicyRef | readonly PolicyRef[];

/** All limits of the module's options and decorators, or those of one policy. */
type Asked = [subject: string] | [policy: Policies, subject: Subject];

const DEFAULT_RESERVATION: Duration = '1m';

const decisions = channel('roost:throttle:decision');

/**
 * Counts requests by policy and subject, outside of HTTP as the guard does inside.
 * @example
 * const { allowed, retryAfterMs } = await limiter.consume('login', { user: userId, address: ip });
 */
@Injectable()
export class RateLimiter {
  readonly #charges: Charges;
  readonly #blockLog = new BlockLog();

  constructor(
    private readonly switched: RateLimitSwitch,
    private readonly policies: RateLimitPolicies,
    subjects: RateLimitSubjects,
    private readonly records: RateLimitRecords,
    private readonly held: HeldCharges,
    private readonly metrics: ThrottleMetrics,
    private readonly early: EarlyRefusals,
    private readonly config: ThrottleConfig,
  ) {
    this.#charges = new Charges(subjects, config);
  }

  /**
   * Charges every limit of the policies when all allow, and none otherwise. A refusal is an answer, not an error. What
   * `count` says is for requests: a program that takes charges back uses `reserve` or `reward`.
   * @throws ReservationRequiredError for a limit of `concurrency`.
   */
  consume(policy: Policies, subject: Subject, options: ConsumeOptions = NOTHING_SPECIAL): Promise<Decision> {
    return this.#decideAbout(policy, subject, options, 'consume');
  }

  /** Says what `consume` would say, and charges nothing. */
  peek(policy: Policies, subject: Subject, options: ConsumeOptions = NOTHING_SPECIAL): Promise<Decision> {
    return this.#decideAbout(policy, subject, options, 'peek');
  }

  /**
   * Charges like `consume`, for what is known only later: its cost, or when it ends. Settle it by `commit` or `rollback`.
   * @example
   * const { decision, commit, rollback } = await limiter.reserve('tokens', userId, { cost: 4_000, for: '2m' });
   * if (!decision.allowed) return refuse(decision);
   * const answer = await ask(prompt).catch(async (error) => { await rollback(); throw error; });
   * await commit(answer.tokens);
   */
  async reserve(policy: Policies, subject: Subject, options: ReserveOptions = {}): Promise<Reservation> {
    const expiresMs = durationOf('reserve', checked(options).for ?? DEFAULT_RESERVATION);
    const charges = this.#charges.of(this.policies.called(policy), subject, options);
    const decision = await this.#decide(this.held.forReservation(charges, expiresMs), 'consume');
    this.held.keep(this.held.of(decision) ?? []);
    return reservationOf(decision, this.held);
  }

  /**
   * Gives back `cost`, never beyond the full limit, and says where the subject stands. Each limit for itself; slots of
   * `concurrency` are left out, because whoever has one gives it back.
   */
  async reward(policy: Policies, subject: Subject, cost = 1, options: Pick<ConsumeOptions, 'tier'> = {}) {
    return this.#adjust(policy, subject, -costOf(cost), options);
  }

  /** Charges `cost` whether or not it fits, and says where the subject stands. Leaves out what `reward` does. */
  async penalize(policy: Policies, subject: Subject, cost = 1, options: Pick<ConsumeOptions, 'tier'> = {}) {
    return this.#adjust(policy, subject, costOf(cost), options);
  }

  /**
   * Refuses a subject for so long, by one policy or by all of the module's options and decorators, and counts anew after
   * that: in this process at once, and in Redis unless it is lost, then as soon as it is back. A limit that is unlimited
   * for the subject's tier asks nobody, and so does not know of blocks.
   */
  async block(subject: string, duration: Duration): Promise<void>;
  async block(policy: Policies, subject: Subject, duration: Duration): Promise<void>;
  async block(...args: [string, Duration] | [Policies, Subject, Duration]): Promise<void> {
    const forMs = durationOf('block', args.at(-1) as Duration);
    await this.records.block(...this.#asked(args.slice(0, -1) as Asked), forMs);
  }

  /** Lifts blocks of a subject, by one policy or all. Resolves to how many there were. */
  async unblock(subject: string): Promise<number>;
  async unblock(policy: Policies, subject: Subject): Promise<number>;
  async unblock(...asked: Asked): Promise<number> {
    return this.records.unblock(...this.#asked(asked));
  }

  /** How many refusals of a subject are remembered by limits with `block`: of one policy, or all. */
  async violations(subject: string): Promise<number>;
  async violations(policy: Policies, subject: Subject): Promise<number>;
  async violations(...asked: Asked): Promise<number> {
    return this.records.violations(...this.#asked(asked));
  }

  /**
   * Forgets what was counted for a subject, its refusals and its blocks, by one policy or by all of the module's options
   * and decorators: in this process, and in Redis unless it is lost. Resolves to how many counts there were.
   */
  async reset(subject: string): Promise<number>;
  async reset(policy: Policies, subject: Subject): Promise<number>;
  async reset(...asked: Asked): Promise<number> {
    return this.records.reset(...this.#asked(asked));
  }

  /** Decides about charges that the guard has put together; at once where nobody has to be waited for. @internal */
  decide(charges: readonly Charge[], mode: DecideMode): Decision | Promise<Decision> {
    return this.#decide(mode === 'consume' ? this.held.forRequest(charges) : charges, mode);
  }

  // Not an async function, and none below it: each would cost as much as a decision in memory.
  #decideAbout(policy: Policies, subject: Subject, options: ConsumeOptions, mode: DecideMode): Promise<Decision> {
    try {
      const limits = this.policies.called(policy);
      if (mode === 'consume') refuseSlots(limits);
      return Promise.resolve(this.#decide(this.#charges.of(limits, subject, options), mode));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #decide(charges: readonly Charge[], mode: DecideMode): Decision | Promise<Decision> {
    const startedAt = decisions.hasSubscribers || this.metrics.isTimed() ? performance.now() : undefined;
    return this.switched.decide(charges, mode, (rulings, tookMs) =>
      this.#decisionOf(rulings, mode, tookMs ?? this.metrics.tookAtOnce(startedAt)),
    );
  }

  #decisionOf(rulings: readonly Ruling[], mode: DecideMode, durationMs: number): Decision {
    if (rulings.length === 0) return this.#nothingToCount();
    const decision = decisionFrom(rulings, this.config, this.metrics);
    if (mode === 'peek') return decision;
    if (decision.allowed) this.held.remember(decision, rulings);
    else this.#blockLog.refused(rulings);
    this.#measure(decision, durationMs);
    return decision;
  }

  async #adjust(policy: Policies, subject: Subject, cost: number, options: ConsumeOptions): Promise<Decision> {
    const { tier } = checked(options);
    const limits = this.policies.called(policy).filter(({ algorithm }) => algorithm !== 'concurrency');
    const charges = this.#charges.of(limits, subject, { tier }).map((charge) => ({ ...charge, cost }));
    if (charges.length === 0) return this.#nothingToCount();
    const rulings = await this.switched.adjust(charges);
    if (cost < 0) this.early.forget(charges.map((charge) => keyOf(charge).name));
    return decisionFrom(rulings, this.config);
  }

  #asked(asked: Asked): [limits: Iterable<Limit>, subjectOf: SubjectOf] {
    // By their number: an id that is missing must not turn the policy's name into a subject.
    if (asked.length === 1) return [this.policies.all, () => asked[0]];
    const [policy, subject] = asked;
    return [this.policies.called(policy), (limit) => nameFor(limit, subject)];
  }

  #nothingToCount(): Decision {
    return { ...NOTHING_TO_COUNT, backend: this.switched.current };
  }

  #measure(decision: Decision, durationMs: number): void {
    const { allowed, state, violated, policies, backend } = decision;
    this.metrics.took(durationMs / 1_000, backend);
    if (allowed)
      for (const { policy, limit, remaining } of policies) this.metrics.passed(policy, backend, remaining / limit);
    else for (const policy of violated) this.metrics.decided(policy, state, backend);
    if (decisions.hasSubscribers) decisions.publish({ decision, durationMs } satisfies DecisionMessage);
  }
}

const NOTHING_SPECIAL: ConsumeOptions = {};
const NOTHING_TO_COUNT = { allowed: true, state: 'allow', violated: [], policies: [], retryAfterMs: 0 } as const;

function refuseSlots(limits: readonly Limit[]): void {
  for (const { algorithm, name } of limits) if (algorithm === 'concurrency') throw new ReservationRequiredError(name);
}

function durationOf(method: string, duration: Duration): number {
  const problem = durationProblem(duration);
  if (problem) throw new InvalidOptionsError(`RateLimiter.${method}`, [problem]);
  return toMs(duration);
}
