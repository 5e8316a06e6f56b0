import { show, type Duration } from '@roost/redis';
import { InvalidLockOptionsError } from './lock.errors.js';
import { LONGEST_MS, milliseconds, type LockConfig } from './lock.config.js';
import type { AcquireOptions } from './lock.options.js';

/** How one lock is asked for, with nothing left open. */
export interface ResolvedAcquire {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly reentrant: boolean;
  readonly renew: boolean;
}

const KNOWN = new Set(['ttl', 'wait', 'signal', 'reentrant', 'renew']);

/** Fills in the module's defaults. @throws InvalidLockOptionsError that names every problem at once. */
export class AcquireDefaults {
  readonly #defaults: ResolvedAcquire;

  constructor(private readonly config: LockConfig) {
    const { ttlMs, waitMs } = config;
    this.#defaults = { ttlMs, waitMs, signal: undefined, reentrant: false, renew: true };
  }

  resolve(options: AcquireOptions | undefined): ResolvedAcquire {
    if (options === undefined) return this.#defaults;
    const problems: string[] = [];
    if (typeof options !== 'object' || options === null) {
      throw new InvalidLockOptionsError([`expected options such as { ttl, wait }, got ${show(options)}`]);
    }
    for (const name in options) if (!KNOWN.has(name)) problems.push(`unknown option \`${name}\``);
    const { ttl, wait, signal, reentrant = false, renew = true } = options;
    const ttlMs = ttl === undefined ? this.config.ttlMs : this.#ttl(ttl, problems);
    const waitMs = wait === undefined ? this.config.waitMs : milliseconds('wait', wait, true, problems);
    if (waitMs > LONGEST_MS) problems.push(`expected \`wait\` to be at most 24 days, got ${show(wait)}`);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      problems.push(`expected \`signal\` to be an AbortSignal, got ${show(signal)}`);
    }
    if (typeof reentrant !== 'boolean')
      problems.push(`expected \`reentrant\` to be true or false, got ${show(reentrant)}`);
    if (typeof renew !== 'boolean') problems.push(`expected \`renew\` to be true or false, got ${show(renew)}`);
    if (problems.length > 0) throw new InvalidLockOptionsError(problems);
    return { ttlMs, waitMs, signal, reentrant, renew };
  }

  /** What a `ttl` alone comes to. @throws InvalidLockOptionsError */
  ttlMs(ttl: Duration | undefined): number {
    return this.resolve(ttl === undefined ? undefined : { ttl }).ttlMs;
  }

  #ttl(ttl: Duration, problems: string[]): number {
    const ttlMs = milliseconds('ttl', ttl, false, problems);
    const { shortestTtlMs, maxTtlMs } = this.config;
    if (ttlMs < shortestTtlMs || ttlMs > maxTtlMs) {
      problems.push(`expected \`ttl\` to be from ${shortestTtlMs} ms to \`maxTtl\`, ${maxTtlMs} ms, got ${show(ttl)}`);
    }
    return ttlMs;
  }
}
