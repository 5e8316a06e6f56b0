import { show, toMs, type Duration } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import { quotaProblem } from './quota.js';

/** What each tier may do. */
export class Tiers {
  readonly #quotas: ReadonlyMap<string, Quota | 'unlimited'>;
  readonly #strictest: Quota;

  /** Pushes a problem for every tier that cannot be read. */
  constructor(tiers: Readonly<Record<string, unknown>>, problems: string[]) {
    this.#quotas = new Map(Object.entries(tiers).map(([name, text]) => [name, parse(name, text, problems)]));
    const limited = [...this.#quotas.values()].filter((quota) => quota !== 'unlimited');
    if (limited.length === 0)
      problems.push('Expected `tiers` to hold a limited tier: callers of no tier get the strictest');
    this.#strictest = limited.sort(byStrictness)[0] ?? { limit: 0, windowUs: 1 };
  }

  /** What is wrong with these quotas for limits that count so. */
  problemsWith(algorithm: AlgorithmName): string[] {
    return [...this.#quotas].flatMap(([name, quota]) => {
      const problem = quota === 'unlimited' ? undefined : quotaProblem(quota, algorithm);
      return problem === undefined ? [] : [`Tier "${name}": ${problem}`];
    });
  }

  /** An unknown tier is a mistake or an attack: it gets the strictest limit, never none. */
  quotaOf(tier: string | null | undefined): Quota | 'unlimited' {
    return this.#quotas.get(tier ?? '') ?? this.#strictest;
  }
}

function byStrictness(a: Quota, b: Quota): number {
  return a.limit / a.windowUs - b.limit / b.windowUs || a.limit - b.limit;
}

function parse(name: string, text: unknown, problems: string[]): Quota | 'unlimited' {
  if (text === 'unlimited') return text;
  const [, limit, window] = /^(\d+)\/(.+)$/.exec(String(text)) ?? [];
  try {
    if (window === undefined) throw new RangeError(`Expected '100/1h' or 'unlimited', got ${show(text)}`);
    const quota = { limit: Number(limit), windowUs: toMs(window as Duration) * 1_000 };
    const problem = quotaProblem(quota);
    if (problem) throw new RangeError(problem);
    return quota;
  } catch (error) {
    problems.push(`Tier "${name}": ${(error as Error).message}`);
    return { limit: 0, windowUs: 1 };
  }
}
