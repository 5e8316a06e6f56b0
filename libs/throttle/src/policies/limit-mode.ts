import { show } from '@roost/redis';
import type { LimitOptions } from '../throttle.options.js';

/** What is wrong with how a limit is tried out, if anything. */
export function modeProblems({ mode, algorithm, count }: Pick<LimitOptions, 'mode' | 'algorithm' | 'count'>): string[] {
  if (mode === undefined || mode === 'enforce') return [];
  const problem = modeProblem(mode);
  if (problem !== undefined) return [problem];
  // Nobody settles what only a trial has charged.
  if (algorithm === 'concurrency') return ["Expected no `mode` but 'enforce' with algorithm 'concurrency'"];
  return count === undefined || count === 'all' ? [] : ["Expected no `mode` but 'enforce' with `count`"];
}

function modeProblem(mode: unknown): string | undefined {
  if (mode === 'enforce' || mode === 'shadow') return undefined;
  const { canary } = (mode ?? {}) as { canary?: unknown };
  if (typeof mode === 'object' && typeof canary === 'number' && canary >= 0 && canary <= 1) return undefined;
  const got = typeof mode === 'object' && mode !== null ? `{ canary: ${show(canary)} }` : show(mode);
  return `Expected \`mode\` to be 'enforce', 'shadow' or { canary: 0 to 1 }, got ${got}`;
}
