import type { PostgresServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Crew } from '../crew.js';
import type { FaultName, Step } from './plan.js';
import type { RedisPair } from './redis-pair.js';

/** What the nemesis plays with. */
export interface Stage {
  readonly pair: RedisPair;
  readonly postgres: PostgresServer;
  readonly crew: Crew;
}

interface Fault {
  /** Whom it touches. */
  readonly touches: 'all' | 'worker' | 'none';
  /** Does its worst, for about as long as it is told, and puts everything right again. */
  run(stage: Stage, step: Step): Promise<void>;
}

const HOUR_MS = 3_600_000;

export const faults: Readonly<Record<FaultName, Fault>> = {
  'redis-kill': {
    touches: 'all',
    async run({ pair }, { lastsMs }) {
      await pair.primary.kill();
      await sleep(lastsMs);
      await pair.primary.restart();
    },
  },
  'redis-freeze': {
    touches: 'all',
    async run({ pair }, { lastsMs }) {
      pair.primary.freeze();
      await sleep(lastsMs);
      pair.primary.thaw();
    },
  },
  // The link is cut before the writes: what is in a buffer of the kernel would still arrive.
  failover: {
    touches: 'all',
    async run({ pair }, { lastsMs }) {
      await pair.replication.blackhole();
      await sleep(lastsMs);
      await pair.primary.kill();
      await pair.promote();
      await sleep(lastsMs);
      await pair.replica.restart();
      await pair.follow();
    },
  },
  // The old primary lives on for those who still reach it; min-replicas-to-write stops it after a while.
  'split-brain': {
    touches: 'all',
    async run({ pair, crew }, { lastsMs }) {
      await pair.replication.blackhole();
      await pair.promote(crew.names.slice(Math.ceil(crew.names.length / 2)));
      await sleep(lastsMs);
      await pair.replica.kill();
      pair.lead();
      await pair.replica.restart();
      await pair.follow();
    },
  },
  flushall: { touches: 'all', run: async ({ pair }) => void (await pair.primary.command('FLUSHALL')) },
  'script-flush': { touches: 'none', run: async ({ pair }) => void (await pair.primary.command('SCRIPT', 'FLUSH')) },
  'kill-clients': {
    touches: 'all',
    run: async ({ pair }) => void (await pair.primary.command('CLIENT', 'KILL', 'TYPE', 'normal')),
  },
  'kill-subscribers': {
    touches: 'none',
    run: async ({ pair }) => void (await pair.primary.command('CLIENT', 'KILL', 'TYPE', 'pubsub')),
  },
  'postgres-restart': {
    touches: 'none',
    async run({ postgres }, { lastsMs }) {
      await postgres.kill();
      await sleep(lastsMs / 2);
      await postgres.restart();
    },
  },
  stop: {
    touches: 'worker',
    async run({ crew }, { worker, lastsMs }) {
      crew.signal(worker, 'SIGSTOP');
      await sleep(lastsMs);
      crew.signal(worker, 'SIGCONT');
    },
  },
  kill: {
    touches: 'worker',
    async run({ crew }, { worker, lastsMs }) {
      await crew.kill(worker);
      await sleep(lastsMs / 2);
      await crew.revive(worker);
    },
  },
  busy: {
    touches: 'worker',
    run: ({ crew }, { worker, lastsMs }) => crew.tell(worker, 'busy', { ms: String(lastsMs) }),
  },
  blackhole: { touches: 'worker', run: onLink((proxy) => proxy.blackhole()) },
  'drop-replies': { touches: 'worker', run: onLink((proxy) => proxy.dropReplies({ to: 'evalsha' })) },
  // Answers still come before a command is given up, and then not.
  delay: { touches: 'worker', run: onLink((proxy) => proxy.delay(100)) },
  'long-delay': { touches: 'worker', run: onLink((proxy) => proxy.delay(300)) },
  reset: { touches: 'worker', run: async ({ pair }, { worker }) => (await pair.link(worker)).reset() },
  'postgres-delay': { touches: 'none', run: onDatabase(60) },
  // A transaction of four statements then ends at about the deadline of its lock.
  'slow-commit': { touches: 'none', run: onDatabase(105) },
  // The clocks themselves do not stand still, so nobody is excused.
  'clock-forward': { touches: 'none', run: stepClock(HOUR_MS) },
  'clock-back': { touches: 'none', run: stepClock(-HOUR_MS) },
  // Redis loses its memory while a worker's commands are on their way: they arrive in its new life.
  'flush-behind': {
    touches: 'all',
    async run({ pair }, { worker, lastsMs }) {
      const link = await pair.link(worker);
      await link.delay(700);
      await sleep(lastsMs);
      await pair.primary.command('FLUSHALL');
      await link.pass();
    },
  },
};

type Link = Awaited<ReturnType<RedisPair['link']>>;

function onLink(spoil: (proxy: Link) => Promise<void>): Fault['run'] {
  return async ({ pair }, { worker, lastsMs }) => {
    const proxy = await pair.link(worker);
    await spoil(proxy);
    await sleep(lastsMs);
    await proxy.pass();
    // What was lost on a connection stays lost: without an end to it, only a timeout would tell.
    proxy.reset();
  };
}

function onDatabase(delayMs: number): Fault['run'] {
  return async ({ crew }, { worker, lastsMs }) => {
    await crew.databases.get(worker)?.delay(delayMs);
    await sleep(lastsMs);
    await crew.databases.get(worker)?.pass();
  };
}

function stepClock(ms: number): Fault['run'] {
  return async ({ crew }, { worker, lastsMs }) => {
    await crew.tell(worker, 'step', { ms: String(ms) });
    await sleep(lastsMs);
    await crew.tell(worker, 'step', { ms: '0' });
  };
}
