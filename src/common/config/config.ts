import type { z } from 'zod';
import { InvalidConfigError } from './config.errors.js';
import { notesOf, variables } from './variables.js';

/** The service's settings, validated, by the names of their environment variables. */
export type Config = Readonly<z.output<typeof variables>>;

/** The injection token of {@link Config}. */
export const CONFIG = Symbol('Config');

/** Ways to Redis that are announced and not there: who sets one must not be left with limits per process. */
const NOT_YET = [
  'REDIS_SENTINELS',
  'REDIS_SENTINEL_NAME',
  'REDIS_CLUSTER_NODES',
  'UPSTASH_REDIS_REST_URL',
  'UPSTASH_REDIS_REST_TOKEN',
];

/**
 * Reads the settings; an empty variable counts as unset, because that is what compose files and charts write for one.
 * @throws InvalidConfigError that names every wrong variable.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = variables.safeParse(set);
  const names = new Set(result.error?.issues.map((issue) => String(issue.path[0])));
  const problems = [
    ...[...names].map((name) => problemOf(name as keyof Config, set[name])),
    ...NOT_YET.filter((name) => set[name] !== undefined).map(
      (name) => `${name}: not supported yet; with REDIS_URL alone processes share limits, without they would not`,
    ),
  ];
  if (problems.length > 0) throw new InvalidConfigError(problems);
  return result.data!;
}

function problemOf(name: keyof Config, value: string | undefined): string {
  const { expected, secret } = notesOf(variables.shape[name]);
  // The value of a secret is often nearly right: printing a wrong one gives the right one away.
  const got = secret ? 'a value that is not shown' : `\`${value?.slice(0, 60)}\``;
  return `${name}: expected it ${expected}, got ${got}`;
}
