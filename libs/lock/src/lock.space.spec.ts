import { PGlite } from '@electric-sql/pglite';
import { RedisUnavailableError, type Commands } from '@roost/redis';
import { connect } from '@roost/redis/testing';

import { eventually, RedisServer } from '@roost/testing';
import { LockConfig } from './lock.config.js';
import type { LockSpaceParts } from './lock.space.js';
import { LockSpace } from './lock.space.js';
import { RedisLockStore } from './stores/redis-lock.store.js';

jest.setTimeout(60_000); // PGlite is compiled anew in each test file

const MAX_TTL = 1_000;

/** A process, whose Redis comes and goes as the test says. */
interface Process {
  readonly space: LockSpace;
  /** Redis was lost for a moment, and is back. */
  reconnect(): Promise<void>;
  claim(key: string): Promise<string>;
}

describe('a Redis that forgot its locks', () => {
  let server: RedisServer;
  let database: PGlite;
  let reachable = true;
  const closes: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    database = await PGlite.create();
  });
  beforeEach(async () => {
    server = await RedisServer.start();
    reachable = true;
  });
  afterEach(async () => {
    for (const close of closes.splice(0)) await close();
    await database.exec('DROP TABLE IF EXISTS roost_lock_space; DROP FUNCTION IF EXISTS roost_fence_version');
    await server.stop();
  });
  afterAll(() => database.close());

  /** The database, when it can be reached. */
  const guard = () =>
    new Proxy(database, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (!reachable) return Promise.reject(new Error('connect ECONNREFUSED'));
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });

  async function boot(failures = 0): Promise<Process> {
    const config = new LockConfig({ production: true, guard: guard(), maxTtl: MAX_TTL });
    const connected = await connect({ url: server.url });
    closes.push(() => connected.close());
    const { connection, pubsub } = connected;
    const dedicated = connection.dedicated('locks');
    const instance = Math.random().toString(36).slice(2);
    const { waiterTtlMs, quarantineMs } = config;
    const store = new RedisLockStore({ ...dedicated, pubsub, instance, owner: 'test:1', waiterTtlMs, quarantineMs });
    const listeners: ((change: { to: string }) => void)[] = [];
    const backend = { current: 'redis', reason: null, onChange: (each: never) => listeners.push(each) };
    const space = new LockSpace({
      config,
      backend: backend as unknown as LockSpaceParts['backend'],
      store,
      commands: failing(dedicated.commands, failures),
      name: 'test',
      logger: { warn: () => undefined },
    });
    await space.settle();
    let claims = 0;
    const claim = async (key: string) => {
      const asked = { kind: 'mutex', keys: [key], ttlMs: MAX_TTL, weight: 1, limit: 1, wait: false } as const;
      return (await store.acquire({ ...asked, holder: `${instance}.${++claims}` })).state;
    };
    const reconnect = async () => {
      for (const to of ['memory', 'redis']) for (const listener of listeners) listener({ to });
      await space.settle();
    };
    return { space, reconnect, claim };
  }

  /** Redis is not there for the first calls. */
  const failing = (commands: Commands, failures: number): Commands =>
    Object.assign(Object.create(commands) as Commands, {
      run: (...args: Parameters<Commands['run']>) => {
        if (failures-- > 0) return Promise.reject(new RedisUnavailableError('unreachable', 'Redis is gone', false));
        return commands.run(...args);
      },
    });

  const outOfQuarantine = async ({ claim }: Process) => {
    while ((await claim('probe')) === 'quarantine') await new Promise((resume) => setTimeout(resume, 50));
  };

  it('is not taken for new by one whose database comes late', async () => {
    reachable = false;
    const process = await boot();
    expect(await process.claim('a')).toBe('quarantine');
    await outOfQuarantine(process);
    expect(await process.claim('a')).toBe('granted');
    reachable = true;
    await server.command('FLUSHALL');
    await process.reconnect();
    expect(await process.claim('a')).toBe('quarantine');
  });

  it('is not taken for new by one that starts later, when it was in use before the database knew', async () => {
    reachable = false;
    const first = await boot();
    await outOfQuarantine(first);
    reachable = true;
    await boot(); // from now on the database knows, although there was nothing to adopt
    expect(await first.claim('a')).toBe('granted');
    await server.command('FLUSHALL');
    expect(await (await boot()).claim('a')).toBe('quarantine');
  });

  it('is not taken for new when the database answers only after locks were granted', async () => {
    reachable = false;
    const process = await boot();
    await outOfQuarantine(process);
    expect(await process.claim('a')).toBe('granted');
    reachable = true;
    await process.reconnect();
    await server.command('FLUSHALL');
    expect(await (await boot()).claim('a')).toBe('quarantine');
  });

  it('is asked again what its locks survive, when it did not answer at first', async () => {
    const { space } = await boot(1);
    expect(space.assurance).toBe('lease');
    await eventually(() => expect(space.assurance).toBe('lease+quarantine'), { within: 10_000, every: 100 });
  });

  it('a Redis that was never used costs no quarantine', async () => {
    expect(await (await boot()).claim('a')).toBe('granted');
    expect(await (await boot()).claim('b')).toBe('granted');
  });
});
