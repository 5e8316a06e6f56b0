import { Test } from '@nestjs/testing';
import { Metrics, RedisConnections, RedisModule } from '@roost/redis';
import { FaultProxy, RedisServer } from '@roost/testing';
import { randomBytes } from 'node:crypto';
import { FakeTime } from '../conformance/fake-time.js';
import { LockConfig } from '../lock.config.js';
import {
  IdempotencyMismatchError,
  InvalidLockKeyError,
  InvalidLockOptionsError,
  LockBusyError,
  LockLostError,
  LockUnavailableError,
  UnstorableResultError,
} from '../lock.errors.js';
import { lockKey } from '../lock-key.js';
import { LockMetrics } from '../lock.metrics.js';
import type { Lock } from '../lock.js';
import { LockRoom } from '../lock.room.js';
import type { LockService } from '../lock.service.js';
import type { LockStore } from '../stores/lock.store.js';
import { LockStores } from '../stores/lock.stores.js';
import { MemoryLockStore } from '../stores/memory-lock.store.js';
import { RedisLockStore } from '../stores/redis-lock.store.js';
import type { CronDuty } from './cron.duties.js';
import { CronFires, type CronFire } from './cron.fires.js';
import { atEachFire, CronSchedule } from './cron.schedule.js';
import { MemoryOnceRecords } from './memory-once.records.js';
import { Once, type OnceOptions } from './once.js';
import type { OnceRecords } from './once.records.js';
import { RedisOnceRecords } from './redis-once.records.js';

/** One process: its locks, and where it keeps results. */
interface Peer {
  readonly locks: LockService;
  readonly store: LockStore;
  readonly records: OnceRecords;
  close(): Promise<void>;
}

const config = new LockConfig({ ttl: '10s' });

function roomOf(store: LockStore, records: OnceRecords, instance: string, guard?: LockStore): LockRoom {
  return new LockRoom({
    config,
    stores: new LockStores(store, guard),
    metrics: new LockMetrics(new Metrics()),
    logger: { warn() {}, error() {} },
    instance,
    space: 'test',
    records,
  });
}

async function redisPeer(url: string): Promise<Peer> {
  const app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url })] })
    .setLogger({ log() {}, warn() {}, error() {} })
    .compile();
  const connection = app.get(RedisConnections).get();
  const instance = randomBytes(16).toString('base64url');
  const { pubsub } = connection;
  const rest = { pubsub, instance, owner: 'host:1', waiterTtlMs: 5_000, quarantineMs: 0 };
  const store = new RedisLockStore({ ...connection.dedicated('locks'), ...rest });
  await app.init();
  const records = new RedisOnceRecords(connection.backend.commands);
  const room = roomOf(store, records, instance);
  const close = async () => {
    await room.drain();
    await app.close();
  };
  return { locks: room.service, store, records, close };
}

function memoryPeers(count: number): Peer[] {
  const store = new MemoryLockStore();
  const records = new MemoryOnceRecords(store);
  return Array.from({ length: count }, (_, i) => {
    const room = roomOf(store, records, `process${i}`);
    return { locks: room.service, store, records, close: () => room.drain() };
  });
}

const tick = (ms = 10) => new Promise((resume) => setTimeout(resume, ms));

const dutyOf = (run: (lock: Lock) => unknown, rest: Partial<CronDuty> = {}): CronDuty => ({
  name: `job${Math.random()}`,
  schedule: new CronSchedule('* * * * * *', 'UTC'),
  atLeastMs: 30_000,
  ttlMs: 30_000,
  run,
  ...rest,
});

describe.each(['memory', 'redis'] as const)('duties in %s', (kind) => {
  let server: RedisServer;
  let peers: Peer[];
  let a: Peer;
  let b: Peer;
  beforeAll(async () => {
    if (kind === 'redis') {
      server = await RedisServer.start();
      peers = await Promise.all([1, 2, 3].map(() => redisPeer(server.url)));
    } else peers = memoryPeers(3);
    [a, b] = peers as [Peer, Peer];
  });
  afterAll(async () => {
    await Promise.all(peers.map((peer) => peer.close()));
    await server?.stop();
  });

  describe('once', () => {
    const keep = { keep: '1h' } as const satisfies OnceOptions;
    let key: string;
    beforeEach(() => {
      key = `invoice:${Math.random()}`;
    });

    it('50: twenty parallel calls run it once, and all get an equal result', async () => {
      let runs = 0;
      const section = async () => {
        runs++;
        await tick();
        return { id: 7, lines: ['a', null] };
      };
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => peers[i % 3]!.locks.once(key, { ...keep, fingerprint: 'x' }, section)),
      );
      expect(runs).toBe(1);
      expect(results).toEqual(Array(20).fill({ id: 7, lines: ['a', null] }));
    });

    it('50: refuses the key for another request, or for one that is not said', async () => {
      await a.locks.once(key, { ...keep, fingerprint: 'one' }, async () => 1);
      const other = b.locks.once(key, { ...keep, fingerprint: 'two' }, async () => 2);
      await expect(other).rejects.toThrow(IdempotencyMismatchError);
      await expect(other).rejects.toMatchObject({ httpStatus: 422, key });
      await expect(b.locks.once(key, keep, async () => 2)).rejects.toThrow(IdempotencyMismatchError);
      await expect(b.locks.once(key, { ...keep, fingerprint: 'one' }, async () => 2)).resolves.toBe(1);
    });

    it('50: a later holder has a higher token, and the late first runner cannot store its result', async () => {
      const tokens: bigint[] = [];
      let stored!: (value: unknown) => void;
      const late = a.locks.once(key, keep, async ({ token }) => {
        tokens.push(token);
        await new Promise((resolve) => (stored = resolve));
        return 'late';
      });
      while (tokens.length === 0) await tick(1);
      const { key: name } = await holdOf(key);
      await a.store.force('mutex', name);
      const second = await b.locks.once(key, keep, async ({ token }) => {
        tokens.push(token);
        return 'second';
      });
      stored(undefined);
      await expect(late).rejects.toThrow(LockLostError);
      expect(second).toBe('second');
      expect(tokens[1]).toBeGreaterThan(tokens[0]!);
      await expect(a.locks.once(key, keep, async () => 'third')).resolves.toBe('second');
    });

    it('50: stores only what was made under the lock that is held', async () => {
      const lock = await a.locks.acquire(key);
      const record = { fingerprint: '', result: '1' };
      await expect(a.records.store(lock, key, record, 1_000)).resolves.toBe('stored');
      await expect(a.records.store(lock, key, record, 1_000)).resolves.toBe('stored');
      await expect(a.records.store(lock, `${key}:other`, record, 1_000)).resolves.toBe('stored');
      await lock.release();
      await expect(a.records.store(lock, `${key}:third`, record, 1_000)).resolves.toBe('absent');
      // What was never answered may have been stored; what somebody else stored stays.
      await expect(a.records.store(lock, key, record, 1_000)).resolves.toBe('stored');
      await expect(a.records.store(lock, key, { ...record, result: '2' }, 1_000)).resolves.toBe('foreign');
      const next = await b.locks.acquire(key);
      await expect(a.records.store(lock, key, { ...record, result: '3' }, 1_000)).resolves.toBe('foreign');
      await expect(a.records.store(lock, `${key}:third`, record, 1_000)).resolves.toBe('foreign');
      await expect(b.records.find(key)).resolves.toMatchObject(record);
      await next.release();
    });

    it('passes a failure unchanged, and runs again', async () => {
      const failure = new Error('no money');
      await expect(a.locks.once(key, keep, () => Promise.reject(failure))).rejects.toBe(failure);
      await expect(b.locks.once(key, keep, async () => 2)).resolves.toBe(2);
    });

    it('remembers undefined, and gives each caller a result of its own', async () => {
      let runs = 0;
      const nothing = async () => void runs++;
      await expect(a.locks.once(key, keep, nothing)).resolves.toBeUndefined();
      await expect(b.locks.once(key, keep, nothing)).resolves.toBeUndefined();
      expect(runs).toBe(1);
      const other = `${key}:other`;
      const list = await a.locks.once(other, keep, async () => [1]);
      list.push(2);
      await expect(a.locks.once(other, keep, async () => [3])).resolves.toEqual([1]);
    });

    it('refuses a result that cannot be kept, and does not remember it', async () => {
      await expect(a.locks.once(key, keep, async () => ({ at: new Date() }))).rejects.toThrow(UnstorableResultError);
      const large = async () => 'x'.repeat(65_536);
      await expect(a.locks.once(key, keep, large)).rejects.toThrow(/65538 bytes, 65536 at most/);
      await expect(a.locks.once(key, { ...keep, maxBytes: 70_000 }, large)).resolves.toHaveLength(65_536);
    });

    it('is busy for longer than one wants to wait', async () => {
      let end!: (value: number) => void;
      let began = false;
      const running = a.locks.once(key, keep, () => {
        began = true;
        return new Promise<number>((resolve) => (end = resolve));
      });
      while (!began) await tick(1);
      await expect(b.locks.once(key, { ...keep, wait: 0 }, async () => 2)).rejects.toThrow(LockBusyError);
      end(1);
      await expect(running).resolves.toBe(1);
    });

    it('refuses wrong options, all at once, and empty keys', async () => {
      const wrong = { keep: '91d', maxBytes: 2e6, fingerprint: 7 } as unknown as OnceOptions;
      await expect(a.locks.once(key, wrong, async () => 1)).rejects.toThrow(InvalidLockOptionsError);
      await expect(a.locks.once(key, wrong, async () => 1)).rejects.toThrow(/keep.*maxBytes.*fingerprint/s);
      const misspelt = { ...keep, fingerprnt: 'body' };
      await expect(a.locks.once(key, misspelt, async () => 1)).rejects.toThrow('unknown option `fingerprnt`');
      await expect(a.locks.once(key, undefined!, async () => 1)).rejects.toThrow(InvalidLockOptionsError);
      await expect(a.locks.once('', keep, async () => 1)).rejects.toThrow(InvalidLockKeyError);
      await expect(a.locks.once(key, { ...keep, wait: '1x' as '1s' }, async () => 1)).rejects.toThrow(
        InvalidLockOptionsError,
      );
    });

    it('does not run where the guard decides: what was done before the outage is not known there', async () => {
      const elsewhere = { backend: 'postgres', find: async () => undefined } as unknown as OnceRecords;
      let runs = 0;
      const asked = new Once(a.locks, elsewhere).run(key, keep, async () => runs++);
      await expect(asked).rejects.toThrow(LockUnavailableError);
      expect(runs).toBe(0);
    });

    it('tries to store as long as the lock is held', async () => {
      const answers = ['unavailable', 'absent', 'stored', 'foreign'];
      const records = {
        backend: kind,
        find: async () => undefined,
        store: async () => {
          const answer = answers.shift();
          if (answer === 'unavailable') throw new LockUnavailableError(new Error('gone'));
          return answer;
        },
      } as unknown as OnceRecords;
      const once = new Once(a.locks, records, () => Promise.resolve());
      await expect(once.run(key, keep, async () => 1)).resolves.toBe(1);
      await expect(once.run(key, keep, async () => 1)).rejects.toThrow(LockLostError);
      expect(answers).toEqual([]);
    });

    /** Who runs it now. */
    async function holdOf(of: string): Promise<{ key: string }> {
      let name = '';
      const probe = { using: (asked: string) => Promise.resolve((name = asked)) } as unknown as LockService;
      await new Once(probe, a.records).run(of, keep, async () => 1);
      expect((await a.locks.inspect(name)).holders).toHaveLength(1);
      return { key: name };
    }
  });

  describe('a schedule', () => {
    const logged: unknown[] = [];
    const logger = {
      warn: (message: string, { event }: { event: string }) => void logged.push(event),
      error: (message: string, { event, error }: { event: string; error: string }) =>
        void logged.push({ event, error }),
    };
    beforeEach(() => void logged.splice(0));

    /** A process that has the duty, and whose clock is ahead by so much. */
    function node(time: FakeTime, aheadMs: number, peer: Peer, duty: CronDuty) {
      const told: CronFire[] = [];
      const clock = time.clock(aheadMs);
      const fires = new CronFires(peer.locks, logger, clock, (fire) => told.push(fire));
      const running: Promise<void>[] = [];
      const run = (fireMs: number) => running.push(fires.run(duty, fireMs));
      const stop = atEachFire(duty.schedule, duty.atLeastMs / 2, clock, run);
      const settled = () => Promise.all(running.splice(0));
      return { told, fires, run, stop, settled, running };
    }

    it('48: two nodes with clocks 3 s apart run each of 100 fires once', async () => {
      const time = new FakeTime('2026-06-01T12:00:00.500Z');
      const runs = new Map<string, number>();
      const duty = dutyOf(async ({ key }) => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        await tick();
      });
      const [early, late] = [node(time, 0, a, duty), node(time, -3_000, b, duty)];
      await time.advance(103_000, () => Promise.all([early.settled(), late.settled()]));
      early.stop();
      late.stop();
      const hundred = early.told.slice(0, 100).map(({ fire }) => fire.toISOString());
      const runsOf = (fire: string) => runs.get(lockKey('cron', duty.name, fire));
      expect(hundred.map(runsOf)).toEqual(Array(100).fill(1));
      // The other node came to each of them, 3 s later.
      const second = late.told.filter(({ fire }) => hundred.includes(fire.toISOString()));
      expect(second.map(({ ran, reason }) => `${ran} ${reason}`)).toEqual(Array(100).fill('false taken'));
      expect(logged).toEqual([]);
    });

    it('48: nodes that see a fire at the same moment run it once', async () => {
      const time = new FakeTime('2026-06-01T12:00:00.500Z');
      const ran: string[] = [];
      const duty = dutyOf((lock) => ran.push(lock.key));
      const nodes = peers.map((peer) => node(time, 0, peer, duty));
      await time.advance(10_000, async () => {
        if (nodes.every(({ running }) => running.length === 1)) {
          await Promise.all(nodes.flatMap(({ settled }) => settled()));
        }
      });
      for (const { stop } of nodes) stop();
      expect(ran).toHaveLength(10);
      expect(new Set(ran).size).toBe(10);
    });

    it('keeps a fire taken for `atLeast` from its grant, not renewed and not given back', async () => {
      const duty = dutyOf(() => tick(20), { atLeastMs: 20_000, ttlMs: 30_000 });
      let lock!: Lock;
      const fires = new CronFires(a.locks, logger, { now: () => 0 }, () => {});
      await fires.run({ ...duty, run: (held) => duty.run((lock = held)) }, 0);
      expect(lock.held).toBe(false);
      const { holders } = await a.locks.inspect(lock.key);
      expect(holders).toEqual([expect.objectContaining({ token: lock.token })]);
      expect(holders[0]!.ttlMs).toBeLessThanOrEqual(19_985);
      expect(holders[0]!.ttlMs).toBeGreaterThan(15_000);
    });

    it('gives the fire back at once when the body took longer than `atLeast`', async () => {
      const duty = dutyOf(() => tick(20), { atLeastMs: 10, ttlMs: 1_000 });
      let key = '';
      const fires = new CronFires(a.locks, logger, { now: () => 0 }, () => {});
      await fires.run({ ...duty, run: (held) => duty.run(((key = held.key), held)) }, 0);
      expect((await a.locks.inspect(key)).holders).toEqual([]);
    });

    it('leaves out a fire that is late by more than half of `atLeast`, also when the grant made it late', async () => {
      const told: CronFire[] = [];
      let now = 0;
      const locks = {
        home: a.locks.home,
        tryAcquire: (...asked: Parameters<LockService['tryAcquire']>) => {
          now += 1;
          return a.locks.tryAcquire(...asked);
        },
      };
      const duty = dutyOf(() => {});
      const fires = new CronFires(locks, logger, { now: () => now }, (fire) => told.push(fire));
      for (const begun of [14_999, 15_000, 15_001]) {
        now = begun;
        await fires.run(duty, 0);
        await a.store.force('mutex', lockKey('cron', duty.name, new Date(0).toISOString()));
      }
      expect(told.map(({ ran, reason }) => [ran, reason])).toEqual([
        [true, undefined],
        [false, 'late'],
        [false, 'late'],
      ]);
    });

    it('logs what the body throws once, and does not run the fire again', async () => {
      const told: CronFire[] = [];
      const duty = dutyOf(() => {
        throw new Error('no disk');
      });
      const fires = new CronFires(a.locks, logger, { now: () => 0 }, (fire) => told.push(fire));
      await fires.run(duty, 0);
      await fires.run(duty, 0);
      expect(told.map(({ ran, reason }) => [ran, reason])).toEqual([
        [true, 'failed'],
        [false, 'taken'],
      ]);
      expect(logged).toEqual([{ event: 'cron.failed', error: expect.stringContaining('no disk') }]);
    });

    it('begins nothing once it is closed, also what was granted meanwhile', async () => {
      const told: CronFire[] = [];
      let runs = 0;
      const duty = dutyOf(() => runs++);
      const fires = new CronFires(a.locks, logger, { now: () => 0 }, (fire) => told.push(fire));
      const underWay = fires.run(duty, 0);
      fires.close();
      await underWay;
      await fires.run(duty, 0);
      expect(told.map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
      expect(runs).toBe(0);
      await new CronFires(b.locks, logger, { now: () => 0 }, () => {}).run(duty, 0);
      expect(runs).toBe(1);
    });

    it('says when the lock was lost under way', async () => {
      const told: CronFire[] = [];
      const duty = dutyOf((lock) => lock.release());
      await new CronFires(a.locks, logger, { now: () => 0 }, (fire) => told.push(fire)).run(duty, 0);
      expect(told).toMatchObject([{ ran: true, reason: 'lost' }]);
    });
  });
});

describe('duties while Redis is gone', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let a: Peer;
  let b: Peer;
  beforeEach(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
    [a, b] = await Promise.all([redisPeer(proxy.url), redisPeer(server.url)]);
  });
  afterEach(async () => {
    await Promise.all([a.close(), b.close()]);
    await proxy.stop();
    await server.stop();
  });

  it('50: a runner that is cut off is followed by another after its ttl, and cannot store when it is back', async () => {
    const tokens: bigint[] = [];
    let end!: (value: string) => void;
    const late = a.locks.once('invoice:7', { keep: '1h', ttl: 400 }, ({ token }) => {
      tokens.push(token);
      return new Promise<string>((resolve) => (end = resolve));
    });
    while (tokens.length === 0) await tick(1);
    const since = performance.now();
    await proxy.blackhole();
    const second = await b.locks.once('invoice:7', { keep: '1h', wait: '5s' }, async ({ token }) => {
      tokens.push(token);
      return 'second';
    });
    expect(second).toBe('second');
    expect(performance.now() - since).toBeGreaterThan(250);
    expect(performance.now() - since).toBeLessThan(2_500);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    await proxy.pass();
    end('late');
    await expect(late).rejects.toThrow(LockLostError);
    await expect(b.locks.once('invoice:7', { keep: '1h' }, async () => 'third')).resolves.toBe('second');
  });

  it('47: a fire is not run when neither Redis nor what stands in for it can decide, and that is told', async () => {
    const room = roomOf(a.store, a.records, 'both', b.store);
    await server.kill();
    let runs = 0;
    const told: CronFire[] = [];
    const events: string[] = [];
    const log = (_: string, { event }: { event: string }) => void events.push(event);
    const duty = dutyOf(() => runs++, { name: 'job', schedule: { after: () => undefined } });
    const logger = { warn: log, error: log };
    const fires = new CronFires(room.service, logger, { now: () => 0 }, (fire) => told.push(fire));
    await fires.run(duty, 0);
    await fires.run(duty, 1_000);
    expect(told).toEqual([
      { name: 'job', fire: new Date(0), ran: false, reason: 'unavailable' },
      { name: 'job', fire: new Date(1_000), ran: false, reason: 'unavailable' },
    ]);
    expect(runs).toBe(0);
    expect(events).toEqual(['cron.unavailable']);
    await expect(a.locks.once('key', { keep: '1h' }, async () => runs++)).rejects.toThrow(LockUnavailableError);
    expect(runs).toBe(0);
    await room.drain();
  });

  it('48: a fire is not run again by grace of a guard, which cannot see who had it in Redis', async () => {
    let runs = 0;
    const told: (string | undefined)[] = [];
    const duty = dutyOf(() => runs++, { name: 'job', schedule: { after: () => undefined } });
    const firesOf = (guarded: LockRoom) =>
      new CronFires(guarded.service, { warn() {}, error() {} }, { now: () => 0 }, ({ reason }) => told.push(reason));
    const rooms = ['one', 'other'].map((name) => roomOf(a.store, a.records, name, new MemoryLockStore()));
    await firesOf(rooms[0]!).run(duty, 0);
    await server.kill();
    await firesOf(rooms[1]!).run(duty, 0);
    expect(runs).toBe(1);
    expect(told).toEqual([undefined, 'unavailable']);
    await Promise.all(rooms.map((room) => room.drain()));
  });

  it('reads a known result by one command, keeps it as long as was said, and no text of the caller in its key', async () => {
    const section = async () => ({ paid: true });
    await a.locks.once('secret-key', { keep: '2h', fingerprint: 'secret-body' }, section);
    const keys = await server.keys();
    expect(keys.join(' ')).not.toMatch(/secret/);
    const record = keys.find((key) => key.includes('lock:once:'))!;
    expect(await server.command('GET', record)).toMatch(/^[\w-]{22}\|\{"paid":true\}$/);
    const ttlMs = Number(await server.command('PTTL', record));
    expect(ttlMs).toBeGreaterThan(7_190_000);
    expect(ttlMs).toBeLessThanOrEqual(7_200_000);
    const before = await server.commandStats();
    await b.locks.once('secret-key', { keep: '2h', fingerprint: 'secret-body' }, section);
    const after = await server.commandStats();
    const calls = (name: string) => (after[name]?.calls ?? 0) - (before[name]?.calls ?? 0);
    expect([calls('get'), calls('evalsha'), calls('eval'), calls('set')]).toEqual([1, 0, 0, 0]);
  });
});

describe('MemoryOnceRecords', () => {
  it('forgets what is over, and the oldest of too many', async () => {
    let now = 0;
    const held = { inspect: async () => ({ holders: [{ token: 1n }], waiting: 0 }) } as unknown as LockStore;
    const records = new MemoryOnceRecords(held, () => now);
    const lock = { key: 'a', token: 1n } as Lock;
    const record = { fingerprint: '', result: '1' };
    await records.store(lock, 'first', record, 1_000);
    now = 999;
    await expect(records.find('first')).resolves.toMatchObject(record);
    now = 1_000;
    await expect(records.find('first')).resolves.toBeUndefined();
    for (let i = 0; i < 10_001; i++) await records.store(lock, `key${i}`, record, 1_000);
    await expect(records.find('key0')).resolves.toBeUndefined();
    await expect(records.find('key1')).resolves.toMatchObject(record);
  });
});
