import { defined, InvalidOptionsError, show, toMs, type BackendMode, type Duration } from '@roost/redis';
import { systemClock, type Clock } from './holding/clock.js';
import type { LockOptions } from './lock.options.js';
import type { Transactional } from './fencing/transactional.js';

const DEFAULTS = {
  connection: 'default',
  ttl: '30s',
  maxTtl: '60s',
  wait: '5s',
  splitBrain: 0,
  driftRatio: 0.01,
  safetyMarginMs: 50,
  waiterTtl: '5s',
  quarantine: true,
  singleInstance: false,
  production: false,
  strict: false,
  shutdownGrace: '10s',
} as const satisfies LockOptions;

/** Below it, what is taken off for clocks and messages leaves nothing to work in. */
const SHORTEST_TTL_MS = 100;
/** What a timer can wait for: it would end a longer wait at once. */
export const LONGEST_MS = 2 ** 31 - 1;

const KNOWN = new Set([...Object.keys(DEFAULTS), 'backend', 'guard', 'assumeFresh']);

/** The module's options with nothing left open; also the DI token for them. */
export class LockConfig {
  readonly backend: BackendMode | undefined;
  readonly connection: string;
  readonly guard: Transactional | undefined;
  readonly ttlMs: number;
  readonly maxTtlMs: number;
  readonly waitMs: number;
  readonly driftRatio: number;
  readonly safetyMarginMs: number;
  readonly waiterTtlMs: number;
  /** How long nothing new is granted after a loss of memory; 0 for not at all. */
  readonly quarantineMs: number;
  /** How long an isolated primary may go on granting; part of the quarantine. */
  readonly splitBrainMs: number;
  readonly assumeFresh: boolean;
  readonly singleInstance: boolean;
  readonly production: boolean;
  readonly strict: boolean;
  readonly shutdownGraceMs: number;

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(
    options: LockOptions,
    readonly clock: Clock = systemClock,
  ) {
    const problems: string[] = [];
    for (const name of Object.keys(options)) if (!KNOWN.has(name)) problems.push(`Unknown option \`${name}\``);
    const given = { ...DEFAULTS, ...defined(options) };
    const ms = (name: 'ttl' | 'maxTtl' | 'wait' | 'splitBrain' | 'waiterTtl' | 'shutdownGrace') => {
      const value = milliseconds(name, given[name], name === 'wait' || name === 'splitBrain', problems);
      if (value > LONGEST_MS) problems.push(`Expected \`${name}\` to be at most 24 days, got ${show(given[name])}`);
      return value;
    };
    this.backend = given.backend;
    this.connection = given.connection;
    this.guard = given.guard;
    this.maxTtlMs = ms('maxTtl');
    this.ttlMs = options.ttl === undefined ? Math.min(ms('ttl'), this.maxTtlMs) : ms('ttl');
    this.waitMs = ms('wait');
    this.driftRatio = given.driftRatio;
    this.safetyMarginMs = given.safetyMarginMs;
    this.waiterTtlMs = ms('waiterTtl');
    this.splitBrainMs = ms('splitBrain');
    this.quarantineMs = given.quarantine ? Math.ceil(this.maxTtlMs * (1 + this.driftRatio)) + this.splitBrainMs : 0;
    this.production = given.production;
    this.assumeFresh = given.assumeFresh ?? !given.production;
    this.singleInstance = given.singleInstance;
    this.strict = given.strict;
    this.shutdownGraceMs = ms('shutdownGrace');
    if (this.ttlMs > this.maxTtlMs)
      problems.push(`Expected \`ttl\` to be at most \`maxTtl\`, got ${show(options.ttl)}`);
    checkRest(given, problems);
    if (problems.length === 0 && this.ttlMs < this.shortestTtlMs) {
      problems.push(`Expected \`ttl\` to be at least ${this.shortestTtlMs} ms, got ${this.ttlMs} ms`);
    }
    if (problems.length > 0) throw new InvalidOptionsError('LockModule', problems);
  }

  /** The shortest `ttl` that leaves time to work in. */
  get shortestTtlMs(): number {
    return Math.max(SHORTEST_TTL_MS, Math.floor((this.safetyMarginMs + 2) / (1 - this.driftRatio)) + 1);
  }

  /** For how long after it was asked for a lock may be used: what every clock and message may be wrong by is taken off. */
  usableMs(ttlMs: number): number {
    return ttlMs - ttlMs * this.driftRatio - 2 - this.safetyMarginMs;
  }
}

/** Milliseconds of a duration in options; a problem, and NaN, when it is none. */
export function milliseconds(name: string, value: Duration, orZero: boolean, problems: string[]): number {
  if (orZero && value === 0) return 0;
  try {
    return toMs(value);
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
    return NaN;
  }
}

function checkRest(given: Omit<LockOptions, 'ttl'>, problems: string[]): void {
  const { backend, driftRatio, safetyMarginMs, guard } = given;
  if (backend !== undefined && !['auto', 'redis', 'memory'].includes(backend)) {
    problems.push(`Expected \`backend\` (LOCK_BACKEND) to be auto, redis or memory, got ${show(backend)}`);
  }
  if (!(typeof driftRatio === 'number' && driftRatio >= 0 && driftRatio < 0.5)) {
    problems.push(`Expected \`driftRatio\` to be a number from 0 to below 0.5, got ${show(driftRatio)}`);
  }
  if (!(typeof safetyMarginMs === 'number' && safetyMarginMs >= 0 && safetyMarginMs <= 10_000)) {
    problems.push(`Expected \`safetyMarginMs\` to be a number from 0 to 10000, got ${show(safetyMarginMs)}`);
  }
  for (const name of ['quarantine', 'assumeFresh', 'singleInstance', 'production', 'strict'] as const) {
    const value: unknown = given[name];
    if (value !== undefined && typeof value !== 'boolean') {
      problems.push(`Expected \`${name}\` to be true or false, got ${show(value)}`);
    }
  }
  if (guard !== undefined && (guard === null || typeof guard !== 'object')) {
    problems.push(`Expected \`guard\` to be a database (pg, PGlite, Drizzle), got ${show(guard)}`);
  }
}
