import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CacheModule, CacheService, type LoadContext } from '@roost/cache';
import { RedisConnections, RedisModule } from '@roost/redis';
import { setTimeout as sleep } from 'node:timers/promises';
import { KEYS, optionsOf, TAGS } from '../keys.js';
import { type Answer, type Call, clockMs, type LoadManner, type NodeStatus, type Order } from '../messages.js';

type Work = Extract<Order, { readonly verb: unknown }>;
type Done = Extract<Answer, { readonly calls: unknown }>;

/** A value of the origin. */
interface Stored {
  readonly key: string;
  readonly n: number;
}

/** The error of a load that is meant to fail. */
class OriginError extends Error {}

class Root {}

/** One cache with connections of its own, and what the run wants of it. */
export class Node {
  readonly #cache: CacheService;
  readonly #connections: RedisConnections;

  private constructor(
    private readonly app: INestApplicationContext,
    private readonly origin: (key: string) => Promise<number>,
  ) {
    this.#cache = app.get(CacheService, { strict: false });
    this.#connections = app.get(RedisConnections, { strict: false });
  }

  static async start(url: string, origin: (key: string) => Promise<number>): Promise<Node> {
    const imports: DynamicModule[] = [
      RedisModule.forRoot({ url, production: true, recheckMs: 50, connectTimeoutMs: 500 }),
      CacheModule.forRoot({ lease: 300 }),
    ];
    return new Node(await NestFactory.createApplicationContext({ module: Root, imports }, { logger: false }), origin);
  }

  async work({ id, verb, names, value, load, next }: Work): Promise<Done> {
    try {
      const calls = await this.#do(verb, names, value, load);
      const doneAt = clockMs();
      if (next !== undefined) calls.push(...(await this.#fetch(next, load)));
      return { id, calls, doneAt, ...(verb === 'status' ? { status: await this.#status() } : {}) };
    } catch (error) {
      return { id, calls: [], doneAt: clockMs(), odd: (error as Error).stack ?? String(error) };
    }
  }

  stop(): Promise<void> {
    return this.app.close();
  }

  async #do(
    verb: Work['verb'],
    names: readonly string[],
    value: number | undefined,
    load: LoadManner,
  ): Promise<Call[]> {
    const key = names[0] ?? '';
    switch (verb) {
      case 'fetch':
        return this.#fetch(key, load);
      case 'get':
        return this.#called(names, 'get', async () => [await this.#cache.get<Stored>(key)]);
      case 'many':
        return this.#many(names, load);
      case 'delete':
        await this.#cache.deleteMany(names);
        return [];
      case 'tags':
        await this.#cache.invalidateTags(...names);
        return [];
      case 'clear':
        await this.#cache.clear();
        return [];
      case 'set':
        await this.#cache.set(key, { key, n: value! }, optionsOf(key, { forSet: true }));
        return [];
      case 'expire':
        await this.#cache.expire(key);
        return [];
      case 'status':
        return [];
    }
  }

  async #fetch(key: string, load: LoadManner): Promise<Call[]> {
    const began = clockMs();
    try {
      const { value, source } = await this.#cache.fetch(key, this.#loader(key, load), optionsOf(key));
      return [callOf(key, value, source, began)];
    } catch (error) {
      if (error instanceof OriginError) return [];
      throw error;
    }
  }

  #loader(key: string, { ms, fails }: LoadManner) {
    return async (context: LoadContext): Promise<Stored> => {
      const n = await this.origin(key);
      await sleep(ms);
      if (fails) throw new OriginError('The origin has failed, as it was told to');
      const { dynamic, tags } = KEYS[key]!;
      if (dynamic) context.addTags(...tags);
      return { key, n };
    };
  }

  /** All under all tags: what a key has of its own is among them. */
  #many(names: readonly string[], { ms }: LoadManner): Promise<Call[]> {
    const loader = async (keys: readonly string[]) => {
      const numbers = await Promise.all(keys.map((key) => this.origin(key)));
      await sleep(ms);
      return keys.map((key, index): Stored => ({ key, n: numbers[index]! }));
    };
    return this.#called(names, 'many', () => this.#cache.getOrSetMany(names, loader, { ttl: '1m', tags: TAGS }));
  }

  async #called(
    names: readonly string[],
    source: string,
    ask: () => Promise<readonly (Stored | undefined)[]>,
  ): Promise<Call[]> {
    const began = clockMs();
    try {
      const values = await ask();
      return names.map((key, index) => callOf(key, values[index], source, began));
    } catch (error) {
      if (error instanceof OriginError) return []; // of a load that was joined
      throw error;
    }
  }

  async #status(): Promise<NodeStatus> {
    await sleep(5); // what has arrived meanwhile is read
    const { near, pendingInvalidations, loads, fenced } = this.#cache.stats();
    const backend = this.#connections.get().backend.current;
    return { coherent: near.coherent, pending: pendingInvalidations, backend, loads: loads.ok, fenced };
  }
}

function callOf(key: string, stored: Stored | undefined, source: string, began: number): Call {
  if (stored !== undefined && stored.key !== key) throw new Error(`${key} was answered with ${JSON.stringify(stored)}`);
  return { key, value: stored?.n, source, began, ended: clockMs() };
}
