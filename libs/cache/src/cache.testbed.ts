import { ConsoleLogger, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisConnections, RedisModule, type RedisConnection, type RedisModuleOptions } from '@roost/redis';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheKeys } from './cache.keys.js';
import { CacheModule } from './cache.module.js';
import type { CacheModuleOptions, CacheOptions } from './cache.options.js';
import { CacheService } from './cache.service.js';

/** An application with a cache, for specs: several of them are several processes, as far as the cache knows. */
export interface CacheNode {
  readonly app: INestApplicationContext;
  readonly cache: CacheService;
  readonly redis: RedisConnection;
  close(): Promise<void>;
}

/** What was warned of, by whichever application: Nest has one logger for all. */
export const logged: string[] = [];

/** Long enough that nothing of a test ends by itself, and not the same twice. */
export const LONG: CacheOptions = { ttl: '10m', jitter: 0 };

/** Opens an application; it hears of every change once this resolves, unless it is not to track, or not to wait. */
export async function openNode(
  redis: RedisModuleOptions,
  options: CacheModuleOptions = {},
  waits = options.tracking !== 'off',
): Promise<CacheNode> {
  class Node {}
  const logger = new ConsoleLogger({ logLevels: [] });
  logger.warn = logger.error = (message: unknown) => void logged.push(String(message));
  const imports = [
    RedisModule.forRoot({ commandTimeoutMs: 2_000, recheckMs: 100, ...redis }),
    CacheModule.forRoot(options),
  ];
  const app = await NestFactory.createApplicationContext({ module: Node, imports }, { logger, abortOnError: false });
  const cache = app.get(CacheService);
  const connection = app.get(RedisConnections).get('default');
  if (waits) await becomes(() => cache.stats().near.coherent);
  return { app, cache, redis: connection, close: () => app.close() };
}

/** Waits until it is true; fails after 5 s. */
export async function becomes(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (const until = performance.now() + 5_000; !(await isTrue()); await sleep(2)) {
    if (performance.now() > until) throw new Error(`Still not: ${isTrue.toString()}`);
  }
}

/** The shortest time of several rounds, in ms: a machine that is busy makes some of them long. */
export async function fastest(rounds: number, run: (round: number) => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await run(round));
  return best;
}

/** A loader that ends when it is told to, and counts its runs. */
export class Origin<T> {
  runs = 0;
  #ends: ((value: T) => void)[] = [];
  readonly load = (): Promise<T> => {
    this.runs++;
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  /** Resolves once it runs for the `times`-th time. */
  async began(times = 1): Promise<void> {
    await becomes(() => this.runs >= times);
  }

  /** Ends what runs, the longest first. */
  end(value: T): void {
    this.#ends.shift()!(value);
  }
}

/** The full names of what a cache keeps at a key, and of a tag. */
export function wireOf(
  key: string,
  space = 'app',
): { readonly entry: string; readonly lease: string; readonly tag: string } {
  const keys = new CacheKeys(space);
  const { entry, lease } = keys.slot(key);
  return { entry: `roost:${entry.name}`, lease: `roost:${lease.name}`, tag: `roost:${keys.tag(key).name}` };
}
