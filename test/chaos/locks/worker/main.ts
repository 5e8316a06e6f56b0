/**
 * One of several processes that contend for the same locks: NestJS applications without a route of their own, on the
 * built libraries. Told what to do over HTTP; what happens goes to a file of its own.
 */
import 'reflect-metadata';
import type { DynamicModule, INestApplicationContext, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { LockModule, type LockOptions, LockService } from '@roost/lock';
import { RedisModule } from '@roost/redis';
import { createServer } from 'node:http';
import { Pool } from 'pg';
import { HistoryWriter } from '../history.js';
import { Random } from '../../random.js';
import { Clockwork, cron, leader } from './duties.js';
import { external } from './external.js';
import { mutexes, queue, shared, steady } from './intervals.js';
import { Sections } from './sections.js';
import { Skew } from './skew.js';
import type { Means, Workload } from './workload.js';
import { counter, set } from './writes.js';

const workloads: Readonly<Record<string, Workload>> = {
  mutexes,
  steady,
  queue,
  shared,
  external,
  counter,
  set,
  leader,
  cron,
};

/** How often a process does the same at once; the queue is judged by when a process asked, so there only once. */
const AT_ONCE: Readonly<Record<string, number>> = { mutexes: 3, shared: 2 };

class Worker {}

const { env } = process;
const history = new HistoryWriter(env['CHAOS_DIR']!, env['CHAOS_NAME']!);
process.on('unhandledRejection', (error) => history.write({ f: 'odd', why: `unhandled: ${(error as Error).stack}` }));
process.on('uncaughtException', (error) => history.write({ f: 'odd', why: `uncaught: ${error.stack}` }));

const skew = new Skew();
const pool = new Pool({ connectionString: env['DATABASE_URL'], max: 6, connectionTimeoutMillis: 2_000 });
pool.on('error', () => {}); // the server of an idle connection was killed: the next one is made when it is needed
const sections = new Sections(history);
const commandTimeoutMs = Number(env['CHAOS_COMMAND_TIMEOUT_MS']);
const options = JSON.parse(env['CHAOS_LOCK']!) as LockOptions;

async function boot(more: LockOptions, providers: Provider[] = []): Promise<INestApplicationContext> {
  const imports: DynamicModule[] = [
    RedisModule.forRoot({ url: env['REDIS_URL'], commandTimeoutMs, recheckMs: 100, connectTimeoutMs: 500 }),
    LockModule.forRoot({ production: true, ...options, ...more }),
  ];
  return NestFactory.createApplicationContext({ module: Worker, imports, providers }, { logger: false });
}

const ticks = env['CHAOS_WORKLOADS']!.includes('cron');
const clockwork: Provider = { provide: Clockwork, useFactory: () => new Clockwork(history) };
const apps = [await boot({}, ticks ? [clockwork] : []), await boot({ guard: pool })] as const;
const means: Means = {
  locks: apps[0].get(LockService, { strict: false }),
  guarded: apps[1].get(LockService, { strict: false }),
  pool,
  sections,
  random: new Random(Number(env['CHAOS_SEED'])),
  storeUrl: env['STORE_URL']!,
  p: history.p,
};

let running = true;
const names = env['CHAOS_WORKLOADS']!.split(',').flatMap((name) => Array<string>(AT_ONCE[name] ?? 1).fill(name));
const loops = names.map(async (name) => {
  while (running) await workloads[name]!(means);
});

const verbs: Readonly<Record<string, (query: URLSearchParams) => void>> = {
  '/readyz': () => {},
  '/step': (query) => {
    sections.look();
    skew.set(Number(query.get('ms')));
    sections.look();
  },
  '/busy': (query) => {
    const until = performance.now() + Number(query.get('ms'));
    while (performance.now() < until);
  },
};
createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://worker');
  verbs[pathname]!(searchParams);
  response.end();
}).listen(Number(env['PORT']), '127.0.0.1');

history.write({ f: 'boot' });
process.once('SIGTERM', () => {
  running = false;
  void Promise.all(loops)
    .then(() => Promise.all(apps.map((app) => app.close())))
    .then(() => {
      history.write({ f: 'stopped' });
      process.exit(0);
    });
});
