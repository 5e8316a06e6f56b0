/**
 * One of several processes that share a cache: a NestJS application without a route of its own. Driven over HTTP by
 * caches.spec.ts.
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { CacheModule, CacheService } from '@roost/cache';
import { RedisModule } from '@roost/redis';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

class Cacher {}

const imports = [
  RedisModule.forRoot({ url: process.env.REDIS_URL, commandTimeoutMs: 5_000 }),
  CacheModule.forRoot({ lease: Number(process.env.LEASE_MS ?? 3_000) }),
];
const app = await NestFactory.createApplicationContext({ module: Cacher, imports }, { logger: false });
const cache = app.get(CacheService);

const verbs = {
  '/readyz': () => {
    if (!cache.stats().near.coherent) throw new Error('not coherent yet');
  },
  /** So many callers at once of one key, whose load takes so long. */
  async '/load'({ key, callers, ms }) {
    let runs = 0;
    const load = async () => {
      runs++;
      process.stdout.write(`${JSON.stringify({ loading: key })}\n`);
      await sleep(Number(ms));
      return process.pid;
    };
    const asked = Array.from({ length: Number(callers) }, () => cache.getOrSet(key, load, { ttl: '10m' }));
    const values = [...new Set(await Promise.all(asked))];
    return { runs, values };
  },
  async '/get'({ key }) {
    const value = await cache.get(key);
    return { value, near: cache.peek(key) !== undefined, coherent: cache.stats().near.coherent };
  },
  '/set': ({ key, value }) => cache.set(key, value, { ttl: '10m' }),
};

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://cacher');
  Promise.resolve()
    .then(() => verbs[pathname](Object.fromEntries(searchParams)))
    .then(
      (answer) => response.end(JSON.stringify(answer ?? null)),
      (error) => response.writeHead(500).end(String(error.stack)),
    );
}).listen(Number(process.env.PORT), '127.0.0.1');
