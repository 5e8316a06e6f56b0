/**
 * One of several processes that contend for the same limits: a NestJS application without a route of its own, so that
 * what is measured is the limiter. Driven over HTTP by contention.spec.ts.
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { RateLimiter, RateLimitStore, ThrottleModule } from '@roost/throttle';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

class Contender {}

/** Nothing refills or begins anew while a test runs. */
const window = '300d';
const tiers = (options) => [
  { name: 'second', limit: 100, window, ...options },
  { name: 'minute', limit: 150, window, algorithm: 'fixed-window', ...options },
  { name: 'hour', limit: 1_000, window, ...options },
];

const imports = [
  RedisModule.forRoot({
    url: process.env.REDIS_URL,
    commandTimeoutMs: Number(process.env.COMMAND_TIMEOUT_MS ?? 10_000),
    recheckMs: 100,
  }),
  ThrottleModule.forRoot({
    outage: 'closed',
    replicas: 4,
    policies: {
      tiers: tiers({ key: 'user' }),
      leased: [{ name: 'one', limit: 100, window, key: 'user', lease: true }],
    },
  }),
];
const app = await NestFactory.createApplicationContext({ module: Contender, imports }, { logger: false });
const limiter = app.get(RateLimiter);
const store = app.get(RateLimitStore, { strict: false });

/** Calls that ended without telling whether Redis had charged them. */
let unknown = 0;
const decide = store.decide.bind(store);
store.decide = async (limits, mode) => {
  try {
    return await decide(limits, mode);
  } catch (error) {
    if (error.outcomeUnknown && mode === 'consume') unknown++;
    throw error;
  }
};

/** Asks until it is answered by the limit, and not by the outage policy. */
async function ask(policy, subject) {
  for (;;) {
    const { state } = await limiter.consume(policy, subject);
    if (state !== 'block') return state;
    await sleep(5);
  }
}

const verbs = {
  '/readyz': () => 'ready',
  /** So many requests at once, or each at some moment within a time. */
  async '/contend'({ policy, subject, requests, spreadMs }) {
    unknown = 0;
    const one = async () => {
      if (spreadMs > 0) await sleep(Math.random() * spreadMs);
      return ask(policy, subject);
    };
    const states = await Promise.all(Array.from({ length: Number(requests) }, one));
    return { admitted: states.filter((state) => state === 'allow').length, asked: states.length, unknown };
  },
  /** How much each limit was charged. */
  async '/charged'({ policy, subject }) {
    for (;;) {
      const { state, policies } = await limiter.peek(policy, subject);
      if (state !== 'block') return policies.map(({ limit, remaining }) => limit - remaining);
      await sleep(5);
    }
  },
};

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://contender');
  Promise.resolve(verbs[pathname](Object.fromEntries(searchParams))).then(
    (answer) => response.end(JSON.stringify(answer)),
    (error) => response.writeHead(500).end(String(error.stack)),
  );
}).listen(Number(process.env.PORT), '127.0.0.1');
