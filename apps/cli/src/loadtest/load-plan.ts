import { InvalidOptionsError, show, toMs, type Duration } from '@roost/redis';
import { isLocal } from '../address.js';

/** The loads that a service has to bear: multiples of the traffic of a soft launch. */
export const PROFILES = {
  burst: { target: '10x', duration: '30s' },
  sustained: { target: '5x', duration: '5m' },
} as const;

const MAX_RATE_PER_SECOND = 5_000;
const MAX_DURATION_MS = 3_600_000;
const SECONDS = { s: 1, min: 60, h: 3_600 } as const;

export interface LoadFlags {
  readonly url: string;
  readonly path: string;
  readonly profile: string;
  readonly base: string;
  readonly target?: string;
  readonly duration?: string;
  readonly connections: string;
  readonly keys: string;
  readonly timeout: string;
  readonly maxP95: string;
  readonly iOwnThisTarget?: boolean;
}

/** A load, checked and in plain units. */
export interface LoadPlan {
  readonly url: URL;
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly connections: number;
  readonly keys: number;
  readonly timeoutMs: number;
  /** The p95 latency that the service has to stay below. */
  readonly maxP95Ms: number;
}

/**
 * Reads the options of a load test.
 * @throws InvalidOptionsError with every problem at once.
 */
export function planOf(flags: LoadFlags): LoadPlan {
  const problems: string[] = [];
  const complain = (option: string, expected: string, value: unknown) =>
    void problems.push(`Expected \`${option}\` to be ${expected}, got ${show(value)}`);
  const whole = (option: string, text: string, max: number) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > max) complain(option, `a whole number from 1 to ${max}`, text);
    return value;
  };
  const duration = (option: string, text: string) => {
    try {
      return toMs(text as Duration);
    } catch {
      complain(option, "a duration such as '30s'", text);
      return NaN;
    }
  };

  const profile = PROFILES[flags.profile as keyof typeof PROFILES] ?? PROFILES.burst;
  if (!Object.hasOwn(PROFILES, flags.profile)) complain('--profile', Object.keys(PROFILES).join(' or '), flags.profile);

  const target = flags.target ?? profile.target;
  const multiple = /^(\d+(?:\.\d+)?)x?$/.exec(target);
  if (!multiple || Number(multiple[1]) === 0) complain('--target', "a multiple such as '10x'", target);
  const base = /^(\d+(?:\.\d+)?)\/(s|min|h)$/.exec(flags.base);
  if (!base || Number(base[1]) === 0) complain('--base', "a rate such as '100/min'", flags.base);
  const ratePerSecond =
    (Number(base?.[1]) / SECONDS[(base?.[2] ?? 's') as keyof typeof SECONDS]) * Number(multiple?.[1]);
  if (ratePerSecond > MAX_RATE_PER_SECOND) {
    problems.push(`Expected at most ${MAX_RATE_PER_SECOND} requests a second, got ${Math.round(ratePerSecond)}`);
  }

  const durationMs = duration('--duration', flags.duration ?? profile.duration);
  if (durationMs > MAX_DURATION_MS) complain('--duration', 'at most 1h', flags.duration);
  const url = targetOf(flags, problems);
  const plan = {
    url: url!,
    ratePerSecond,
    durationMs,
    connections: whole('--connections', flags.connections, 1_024),
    keys: whole('--keys', flags.keys, 100_000),
    timeoutMs: duration('--timeout', flags.timeout),
    maxP95Ms: duration('--max-p95', flags.maxP95),
  };
  if (problems.length > 0) throw new InvalidOptionsError('roost loadtest', problems);
  return plan;
}

function targetOf({ url, path, iOwnThisTarget }: LoadFlags, problems: string[]): URL | undefined {
  let target: URL;
  try {
    if (!path.startsWith('/')) throw new Error();
    target = new URL(url.replace(/\/+$/, '') + path);
    if (!/^https?:$/.test(target.protocol)) throw new Error();
  } catch {
    problems.push("Expected `--url` like http://127.0.0.1:3000 and `--path` like '/api/quotes?carId=car-1'");
    return undefined;
  }
  if (target.username || target.password) problems.push('Expected a `--url` without user and password');
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (!isLocal(host) && !iOwnThisTarget) {
    problems.push(`${host} is not this machine. Load tests hurt: pass --i-own-this-target if it is yours to hurt`);
  }
  return target;
}

/** How many requests the plan makes in all. */
export function totalOf({ ratePerSecond, durationMs }: LoadPlan): number {
  return Math.max(1, Math.round((ratePerSecond * durationMs) / 1_000));
}
