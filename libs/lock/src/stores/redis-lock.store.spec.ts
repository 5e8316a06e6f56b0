import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule, type RedisConnection } from '@roost/redis';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { randomBytes } from 'node:crypto';
import { LockUnavailableError } from '../lock.errors.js';
import type { LockClaim, LockHold } from './lock.store.js';
import { RedisLockStore, type RedisLockStoreParts } from './redis-lock.store.js';

/** One process, as far as a store can tell. */
interface Peer {
  readonly instance: string;
  readonly app: TestingModule;
  readonly connection: RedisConnection;
  readonly store: RedisLockStore;
  claim(keys: string | readonly string[], options?: Partial<LockClaim>): LockClaim;
  /** Acquires, and expects to be granted. */
  hold(keys: string | readonly string[], options?: Partial<LockClaim>): Promise<LockHold>;
}

const peers: Peer[] = [];
const others: { stop(): Promise<void> }[] = [];

async function peer(url: string, parts: Partial<RedisLockStoreParts> = {}): Promise<Peer> {
  const app = await Test.createTestingModule({
    imports: [RedisModule.forRoot({ url, recheckMs: 500, commandTimeoutMs: 1_000 })],
  })
    .setLogger({ log() {}, warn() {}, error() {} })
    .compile();
  const connection = app.get(RedisConnections).get();
  const instance = randomBytes(16).toString('base64url');
  const store = new RedisLockStore({
    ...connection.dedicated('locks'),
    pubsub: connection.pubsub,
    instance,
    owner: 'host:1',
    waiterTtlMs: 5_000,
    quarantineMs: 1_000,
    ...parts,
  });
  await app.init();
  let claims = 0;
  const claim: Peer['claim'] = (keys, options = {}) => ({
    kind: 'mutex',
    keys: typeof keys === 'string' ? [keys] : keys,
    holder: `${instance}.${++claims}`,
    ttlMs: 2_000,
    weight: 1,
    limit: 1,
    wait: false,
    ...options,
  });
  const hold: Peer['hold'] = async (keys, options) => {
    const asked = claim(keys, options);
    const outcome = await store.acquire(asked);
    if (outcome.state !== 'granted') throw new Error(`Expected to be granted, got ${outcome.state}`);
    return { ...asked, token: outcome.token };
  };
  peers.push({ instance, app, connection, store, claim, hold });
  return peers.at(-1)!;
}

/** Leaves the locks, but nothing of what Redis knows of itself: as a replica has them that was made the primary. */
async function promote(server: RedisServer): Promise<void> {
  for (const key of await server.keys('*')) {
    if (!key.endsWith(':lock:state')) await server.command('COPY', key, key, 'DB', 1);
  }
  await server.command('SWAPDB', 0, 1);
}

describe('RedisLockStore', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let a: Peer;
  let b: Peer;

  const valueOf = (key: string) => server.command('GET', `roost:{lock}:lock:mutex:${key}`);
  const ttlOf = (key: string) => server.command('PTTL', `roost:{lock}:lock:mutex:${key}`);
  const queueOf = (key: string) => server.command('ZRANGE', `roost:{lock}:lock:queue:mutex:${key}`, 0, -1);
  const state = async () => {
    const pairs = (await server.command('HGETALL', 'roost:{lock}:lock:state')) as string[];
    return Object.fromEntries(pairs.map((each, i) => [each, pairs[i + 1]!]).filter((_, i) => i % 2 === 0));
  };
  async function untilGranted(of: Peer, claim: LockClaim, within: number, every = 20): Promise<bigint> {
    let token: bigint | undefined;
    await eventually(
      async () => ({ token } = (await of.store.acquire(claim)) as { token?: bigint }) && token !== undefined,
      { within, every },
    );
    return token!;
  }

  beforeEach(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
    a = await peer(proxy.url);
    b = await peer(server.url);
    await a.store.adopt();
  });
  afterEach(async () => {
    await Promise.all(peers.splice(0).map(({ app }) => app.close()));
    await Promise.all(others.splice(0).map((each) => each.stop()));
    await proxy.stop();
    await server.stop();
  });

  it('grants a free lock to one, with a token that rises', async () => {
    const first = await a.hold('car:7');
    expect(await b.store.acquire(b.claim('car:7'))).toEqual({ state: 'busy', retryInMs: expect.any(Number) });
    expect(await a.store.release(first)).toEqual({ outcome: 'released', next: undefined });
    const second = await b.hold('car:7');
    expect(second.token).toBe(first.token + 1n);
    expect((await b.hold('car:8')).token).toBe(first.token + 2n);
  });

  it('1: the same holder asking again gets the same token and its full time', async () => {
    await a.hold('bus'); // the server knows the script
    const claim = a.claim('car:7', { ttlMs: 1_000 });
    await proxy.dropReplies({ thenReset: true, once: true, to: claim.holder });
    await expect(a.store.acquire(claim)).rejects.toMatchObject({ code: 'lock.unavailable', outcomeUnknown: true });
    const { fence } = await state();
    await server.command('PEXPIRE', 'roost:{lock}:lock:mutex:car%3A7', 200);
    const token = await untilGranted(a, claim, 2_000);
    expect(token & 0x1ffffffffn).toBe(BigInt(fence!));
    expect(Number(await ttlOf('car%3A7'))).toBeGreaterThan(900);
    expect((await state()).fence).toBe(fence);
  });

  it('2: who releases too late leaves the lock of the next one alone', async () => {
    const late = await a.hold('car', { ttlMs: 30 });
    const present = await eventually(() => b.hold('car'), { within: 1_000 });
    expect(await a.store.release(late)).toMatchObject({ outcome: 'foreign' });
    expect(await valueOf('car')).toContain(present.holder);
    expect(await a.store.extend([late])).toEqual(['lost']);
    expect(await b.store.extend([present])).toEqual(['extended']);
  });

  it('says that a lock is absent when its time ran out', async () => {
    const late = await a.hold('car', { ttlMs: 20 });
    await eventually(async () => (await valueOf('car')) === null, { within: 1_000 });
    expect(await a.store.release(late)).toMatchObject({ outcome: 'absent' });
    expect(await a.store.extend([late])).toEqual(['lost']);
  });

  it('20: a Redis that refuses to write is unavailable, never busy', async () => {
    await a.hold('car');
    for (const [setting, on, off] of [
      ['min-replicas-to-write', 1, 0],
      ['maxmemory', 1, 0],
    ] as const) {
      await server.command('CONFIG', 'SET', setting, on);
      const error = await a.store.acquire(a.claim(`other-${setting}`)).catch((each: Error) => each);
      expect(error).toBeInstanceOf(LockUnavailableError);
      expect(error).toMatchObject({ outcomeUnknown: false, cause: { code: 'redis.unavailable' } });
      await server.command('CONFIG', 'SET', setting, off);
    }
    await server.command('REPLICAOF', '127.0.0.1', 1);
    const error = await a.store.acquire(a.claim('another')).catch((each: Error) => each);
    expect(error).toMatchObject({ code: 'lock.unavailable', cause: { errorClass: 'read_only' } });
  });

  it('21: scripts that Redis forgot are sent once more', async () => {
    await a.hold('car');
    await server.command('SCRIPT', 'FLUSH');
    const { eval: before } = await server.commandStats();
    expect(await a.store.acquire(a.claim('bus'))).toMatchObject({ state: 'granted' });
    const { eval: after } = await server.commandStats();
    expect(after!.calls - (before?.calls ?? 0)).toBe(1);
  });

  it('leaves no key without an expiry', async () => {
    await a.hold('car');
    await b.store.acquire(b.claim('car', { wait: true }));
    const keys = await server.keys('*lock*');
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(Number(await server.command('PTTL', key))).toBeGreaterThan(0);
  });

  it('keeps a bug a bug', async () => {
    await server.command('LPUSH', 'roost:{lock}:lock:mutex:car', 'x');
    await expect(a.store.acquire(a.claim('car'))).rejects.toMatchObject({ code: 'redis.reply' });
  });

  describe('queue', () => {
    it('25: serves who waits in the order of arrival, and nobody past a living head', async () => {
      const holder = await a.hold('car');
      const waiters = Array.from({ length: 50 }, () => b.claim('car', { wait: true }));
      for (const waiter of waiters) expect(await b.store.acquire(waiter)).toMatchObject({ state: 'busy' });
      expect(await queueOf('car')).toEqual(waiters.map((each) => each.holder));
      const turns: unknown[] = [];
      b.store.onTurn((who) => who !== undefined && turns.push(who));
      await eventually(async () => ((await server.command('PUBSUB', 'CHANNELS')) as string[]).length === 1, {
        within: 1_000,
      });
      let token = holder.token;
      await a.store.release(holder);
      for (const waiter of waiters) {
        await eventually(() => turns.at(-1) === waiter.holder, { within: 1_000 });
        expect(await a.store.acquire(a.claim('car'))).toEqual({ state: 'busy', retryInMs: 0 });
        for (const other of waiters.slice(waiters.indexOf(waiter) + 1).slice(0, 3)) {
          expect(await b.store.acquire(other)).toEqual({ state: 'busy', retryInMs: 0 });
        }
        const outcome = await b.store.acquire(waiter);
        expect(outcome).toMatchObject({ state: 'granted' });
        expect((outcome as { token: bigint }).token).toBeGreaterThan(token);
        ({ token } = outcome as { token: bigint });
        await b.store.release({ ...waiter, token });
      }
      expect(turns).toEqual(waiters.map((each) => each.holder));
      expect(await queueOf('car')).toEqual([]);
    });

    it('25: who is not heard of loses its place, and the others keep theirs', async () => {
      const short = await peer(server.url, { waiterTtlMs: 60 });
      const holder = await a.hold('car');
      const first = b.claim('car', { wait: true });
      const dead = short.claim('car', { wait: true });
      const third = b.claim('car', { wait: true });
      await b.store.acquire(first);
      await short.store.acquire(dead);
      await b.store.acquire(third);
      await a.store.release(holder, undefined);
      const token = await untilGranted(b, first, 1_000);
      await b.store.release({ ...first, token });
      await eventually(async () => (await b.store.acquire(third)).state === 'granted', { within: 1_000 });
      expect(await queueOf('car')).toEqual([]);
    });

    it('29: who does not wait stays behind a living head', async () => {
      const holder = await a.hold('car');
      const head = b.claim('car', { wait: true });
      await b.store.acquire(head);
      await a.store.release(holder);
      expect(await a.store.acquire(a.claim('car'))).toEqual({ state: 'busy', retryInMs: 0 });
      expect(await queueOf('car')).toEqual([head.holder]);
      expect(await b.store.acquire(head)).toMatchObject({ state: 'granted' });
    });

    it('tells when the present holder has to be gone', async () => {
      await a.hold('car', { ttlMs: 700 });
      const { retryInMs } = (await b.store.acquire(b.claim('car'))) as { retryInMs: number };
      expect(retryInMs).toBeGreaterThan(600);
      expect(retryInMs).toBeLessThanOrEqual(700);
    });

    it('asks for the next of the same process within the release: at the tail, and granted when nobody waits', async () => {
      const first = await a.hold('car');
      const second = a.claim('car', { wait: true });
      const handed = await a.store.release(first, second);
      expect(handed).toEqual({ outcome: 'released', next: { state: 'granted', token: first.token + 1n } });

      const remote = b.claim('car', { wait: true });
      await b.store.acquire(remote);
      const third = a.claim('car', { wait: true });
      const after = await a.store.release({ ...second, token: first.token + 1n }, third);
      expect(after).toEqual({ outcome: 'released', next: { state: 'busy', retryInMs: 0 } });
      expect(await queueOf('car')).toEqual([remote.holder, third.holder]);
    });

    it('28: a claim that is withdrawn leaves no trace, and the next one is told when the lock is free', async () => {
      const holder = await a.hold('car');
      const impatient = b.claim('car', { wait: true });
      const patient = b.claim('car', { wait: true });
      const turns: unknown[] = [];
      b.store.onTurn((who) => who !== undefined && turns.push(who));
      await b.store.acquire(impatient);
      await b.store.acquire(patient);
      await eventually(async () => ((await server.command('PUBSUB', 'CHANNELS')) as string[]).length === 1, {
        within: 1_000,
      });
      await a.store.release(holder);
      await b.store.withdraw(impatient);
      await b.store.withdraw(impatient);
      await eventually(() => turns.includes(patient.holder), { within: 1_000 });
      const granted = await b.store.acquire(patient);
      expect(granted).toMatchObject({ state: 'granted' });
      await b.store.withdraw(patient);
      expect(await server.keys('*mutex*')).toEqual([]);
    });

    it('26: says that turns may have been missed when the subscription was cut', async () => {
      const turns: unknown[] = [];
      a.store.onTurn((who) => turns.push(who));
      await eventually(() => turns.length === 1, { within: 1_000 });
      proxy.reset();
      await eventually(() => turns.length === 2, { within: 5_000 });
      expect(turns).toEqual([undefined, undefined]);
    });
  });

  describe('several at once', () => {
    it('33: takes all or none, under one token, in whatever order they are asked for', async () => {
      const both = await a.hold(['a', 'b']);
      expect(await valueOf('a')).toBe(await valueOf('b'));
      expect(await b.store.acquire(b.claim(['b', 'c']))).toMatchObject({ state: 'busy' });
      expect(await valueOf('c')).toBeNull();
      expect(await a.store.extend([both])).toEqual(['extended']);
      await a.store.release(both);
      expect(await server.keys('*mutex*')).toEqual([]);
    });

    it('33: never blocks for ever, and leaves nothing behind', async () => {
      const sets = [['a', 'b'], ['b', 'c'], ['a', 'c'], ['a', 'b', 'c'], ['b']]; // prettier-ignore
      const held = new Set<string>();
      let [rounds, overlaps] = [0, 0];
      async function contend(of: Peer, first: number) {
        for (let round = 0; round < 40; round++) {
          const keys = sets[(first + round) % sets.length]!;
          const claim = of.claim(keys, { wait: true });
          const token = await untilGranted(of, claim, 10_000, 1);
          for (const key of keys) {
            if (held.has(key)) overlaps++;
            held.add(key);
          }
          await new Promise(setImmediate);
          for (const key of keys) held.delete(key);
          await of.store.release({ ...claim, token });
          rounds++;
        }
      }
      await Promise.all([contend(a, 0), contend(b, 1), contend(a, 2), contend(b, 3)]);
      expect([rounds, overlaps]).toEqual([160, 0]);
      expect(await server.keys('*mutex*')).toEqual([]);
    });

    it('33: stands at the same place in each queue, also when it was dropped from one', async () => {
      const holder = await b.hold('b');
      const two = a.claim(['a', 'b'], { wait: true });
      await a.store.acquire(two);
      const one = b.claim('a', { wait: true });
      expect(await b.store.acquire(one)).toEqual({ state: 'busy', retryInMs: 0 });
      await server.command('ZREM', 'roost:{lock}:lock:queue:mutex:a', two.holder);
      await a.store.acquire(two);
      expect(await queueOf('a')).toEqual([two.holder, one.holder]);
      await b.store.release(holder);
      expect(await a.store.acquire(two)).toMatchObject({ state: 'granted' });
    });

    it('does not keep the rest when one was taken away before the grant was known', async () => {
      const claim = a.claim(['a', 'b'], { wait: true });
      await a.store.acquire(claim);
      await b.store.force('mutex', 'a');
      const other = await b.hold('a');
      const waiter = b.claim('b', { wait: true });
      await b.store.acquire(waiter);
      expect(await a.store.acquire(claim)).toMatchObject({ state: 'busy' });
      expect(await b.store.acquire(waiter)).toMatchObject({ state: 'granted' });
      await b.store.release(other);
    });
  });

  describe('operators', () => {
    it('see who holds a lock, since when, and how many wait', async () => {
      const hold = await a.hold('car:7');
      await b.store.acquire(b.claim('car:7', { wait: true }));
      const report = await b.store.inspect('mutex', 'car:7');
      expect(report).toMatchObject({ waiting: 1, holders: [{ holder: hold.holder, token: hold.token, weight: 1 }] });
      const [{ owner, since, ttlMs }] = report.holders as [(typeof report.holders)[0]];
      expect(owner).toBe('host:1');
      expect(Math.abs(since.getTime() - Date.now())).toBeLessThan(1_000);
      expect(ttlMs).toBeGreaterThan(1_500);
      expect(await b.store.inspect('mutex', 'free')).toEqual({ holders: [], waiting: 0 });
    });

    it('take a lock away: its holder learns it, and the head gets it', async () => {
      const hold = await a.hold('car');
      const waiter = b.claim('car', { wait: true });
      const turns: unknown[] = [];
      b.store.onTurn((who) => turns.push(who));
      await eventually(() => turns.length === 1, { within: 1_000 });
      await b.store.acquire(waiter);
      expect(await b.store.force('mutex', 'car')).toMatchObject([{ holder: hold.holder, token: hold.token }]);
      await eventually(() => turns.at(-1) === waiter.holder, { within: 1_000 });
      expect(await a.store.extend([hold])).toEqual(['lost']);
      expect(await b.store.acquire(waiter)).toMatchObject({ state: 'granted' });
      expect(await b.store.force('mutex', 'free')).toEqual([]);
    });
  });

  describe('a Redis that forgot', () => {
    const Q = 1_000;
    const anew = async () => {
      await server.kill();
      await server.restart();
    };
    /** Once the connections are there again. */
    const eventuallyDecides = <T>(ask: () => Promise<T>) =>
      eventually(async () => ({ said: await ask() }), { within: 8_000 }).then(({ said }) => said);

    it('13: grants nothing new for a while after it died, and takes back what is held, under the same token', async () => {
      const hold = await a.hold('car', { ttlMs: 10_000 });
      await anew();
      const refused = await eventuallyDecides(() => b.store.acquire(b.claim('car')));
      expect(refused).toEqual({ state: 'quarantine', retryInMs: expect.any(Number) });
      expect((refused as { retryInMs: number }).retryInMs).toBeLessThanOrEqual(Q);
      expect(await b.store.acquire(b.claim('never held'))).toMatchObject({ state: 'quarantine' });
      expect(await eventuallyDecides(() => a.store.extend([hold]))).toEqual(['reclaimed']);
      expect(await a.store.extend([hold])).toEqual(['extended']);
      expect((await a.store.inspect('mutex', 'car')).holders[0]!.token).toBe(hold.token);
      await eventually(async () => (await b.store.acquire(b.claim('car'))).state === 'busy', { within: Q + 500 });
      await a.store.release(hold);
      const next = await b.hold('car');
      expect(next.token).toBeGreaterThan(hold.token);
    });

    it('13: holds are taken back in one call, and only while the quarantine lasts', async () => {
      const holds = await Promise.all(Array.from({ length: 250 }, (_, i) => a.hold(`car-${i}`, { ttlMs: 10_000 })));
      const several = await a.hold(['x', 'y'], { ttlMs: 10_000 });
      await server.command('FLUSHALL');
      const early = await a.store.extend([...holds.slice(1), several]);
      expect(early).toHaveLength(250);
      expect(new Set(early)).toEqual(new Set(['reclaimed']));
      await eventually(async () => (await b.store.acquire(b.claim('z'))).state === 'granted', { within: Q + 500 });
      expect(await a.store.extend([holds[0]!, several])).toEqual(['lost', 'extended']);
    });

    it('13: gives nobody more time while a former primary may still grant the lock to somebody else', async () => {
      const splitBrainMs = Q / 2;
      const careful = await peer(server.url, { splitBrainMs });
      const hold = await careful.hold('car', { ttlMs: 10_000 });
      const permit = await careful.hold('seats', { kind: 'semaphore', limit: 3, ttlMs: 10_000 });
      await promote(server);
      const before = Number(await ttlOf('car'));
      expect(await careful.store.extend([hold, permit])).toEqual(['unsettled', 'unsettled']);
      expect(await careful.store.acquire(hold)).toMatchObject({ state: 'quarantine' });
      expect(await careful.store.acquire(permit)).toMatchObject({ state: 'quarantine' });
      expect(Number(await ttlOf('car'))).toBeLessThanOrEqual(before);
      const settled = async () => !(await careful.store.extend([hold, permit])).includes('unsettled');
      await eventually(settled, { within: Q, every: 20 });
      expect(await careful.store.acquire(b.claim('bus'))).toMatchObject({ state: 'quarantine' });
      expect(await careful.store.extend([hold, permit])).toEqual(['extended', 'extended']);
      expect(await careful.store.acquire(hold)).toEqual({ state: 'granted', token: hold.token });
      expect(Number(await ttlOf('car'))).toBeGreaterThan(9_000);
    });

    it('14: what a snapshot brought back is extended, and nothing new is granted all the same', async () => {
      const hold = await a.hold('car', { ttlMs: 10_000 });
      await server.command('SAVE');
      await anew();
      expect(await valueOf('car')).toContain(hold.holder);
      expect(await eventuallyDecides(() => b.store.acquire(b.claim('bus')))).toMatchObject({ state: 'quarantine' });
      expect(await eventuallyDecides(() => a.store.extend([hold]))).toEqual(['extended']);
    });

    it('14: a later holder takes its place back from one that an old snapshot brought back', async () => {
      const old = await a.hold('car', { ttlMs: 60_000 });
      await server.command('SAVE');
      await a.store.release(old);
      const present = await b.hold('car', { ttlMs: 60_000 });
      await anew();
      expect(await valueOf('car')).toContain(old.holder);
      expect(await eventuallyDecides(() => b.store.extend([present]))).toEqual(['reclaimed']);
      expect(await eventuallyDecides(() => a.store.extend([old]))).toEqual(['lost']);
      expect(await b.store.extend([present])).toEqual(['extended']);
    });

    it('15: FLUSHALL is a loss of memory, the deletion of one lock is none', async () => {
      const hold = await a.hold('car');
      await server.command('DEL', 'roost:{lock}:lock:mutex:car');
      expect(await a.store.extend([hold])).toEqual(['lost']);
      const next = await b.hold('car', { ttlMs: 10_000 });
      expect(next.token).toBeGreaterThan(hold.token);
      await server.command('FLUSHALL');
      expect(await a.store.acquire(a.claim('car'))).toMatchObject({ state: 'quarantine' });
      expect(await b.store.extend([next])).toEqual(['reclaimed']);
    });

    it('10: what was released is not put back by a renewal that was late, in a quarantine either', async () => {
      const hold = await a.hold('car', { ttlMs: 10_000 });
      await a.store.release(hold);
      expect(await a.store.extend([hold], true)).toEqual(['lost']);
      expect(await ttlOf('car')).toBe(-2);

      const [reclaimed, silent, forced] = [await a.hold('a'), await a.hold('b'), await a.hold('c')];
      await server.command('FLUSHALL');
      expect(await a.store.extend([reclaimed, forced])).toEqual(['reclaimed', 'reclaimed']);
      expect(await a.store.release(reclaimed)).toMatchObject({ outcome: 'released' });
      expect(await a.store.release(silent)).toMatchObject({ outcome: 'absent' });
      expect(await b.store.force('mutex', 'c')).toHaveLength(1);
      expect(await a.store.extend([reclaimed, silent, forced], true)).toEqual(['lost', 'lost', 'lost']);
      expect(await a.store.release(reclaimed)).toMatchObject({ outcome: 'absent' });
      expect(await a.store.inspect('mutex', 'a')).toEqual({ holders: [], waiting: 0 });
      await eventually(async () => (await server.keys('*mutex*')).length === 0, { within: Q + 500 });
    });

    it('16: a replica that took over without a write grants nothing new, and its holder reclaims', async () => {
      await server.command('CONFIG', 'SET', 'repl-diskless-sync-delay', 0);
      const link = await FaultProxy.start({ target: server });
      const replica = await RedisServer.start({ args: ['--replicaof', `127.0.0.1 ${link.port}`] });
      const router = await FaultProxy.start({ target: server });
      others.push(router, link, replica);
      const [first, second] = [await peer(router.url), await peer(router.url)];
      const near = await peer(replica.url); // connected all the time, also while it is promoted
      // The first replica of a primary changes its replication id: that is a quarantine too many, and no harm.
      await eventually(async () => String(await replica.command('ROLE')).includes('connected'), { within: 5_000 });
      await eventually(async () => (await a.store.acquire(a.claim('known'))).state === 'granted', { within: 2 * Q });
      await eventually(async () => (await replica.keys('*known')).length === 1, { within: 5_000 });
      await expect(near.store.acquire(near.claim('car'))).rejects.toMatchObject({ cause: { errorClass: 'read_only' } });

      await link.blackhole();
      const hold = await first.hold('car', { ttlMs: 20_000 });
      await replica.command('REPLICAOF', 'NO', 'ONE');
      router.retarget(replica.port);
      router.reset();
      expect(await replica.keys('*car')).toEqual([]);
      expect(await eventuallyDecides(() => near.store.acquire(near.claim('car')))).toMatchObject({
        state: 'quarantine',
      });
      expect(await eventuallyDecides(() => second.store.acquire(second.claim('car')))).toMatchObject({
        state: 'quarantine',
      });
      expect(await eventuallyDecides(() => first.store.extend([hold]))).toEqual(['reclaimed']);
      await eventually(async () => (await second.store.acquire(second.claim('car'))).state === 'busy', {
        within: 2 * Q,
      });
      await first.store.release(hold);
      expect((await second.hold('car')).token).toBeGreaterThan(hold.token);
    });

    it('38: tokens of a Redis that forgot everything are greater than all before, whoever asks first', async () => {
      const { token } = await a.hold('car');
      await server.command('FLUSHALL');
      await b.store.adopt();
      expect((await b.hold('car')).token).toBeGreaterThan(token);
    });

    it('38: tokens go on rising, also after two losses in one second', async () => {
      const hasty = await peer(server.url, { quarantineMs: 0 });
      let last = 0n;
      for (let loss = 0; loss < 4; loss++) {
        const { token } = await hasty.hold(`car-${loss}`);
        expect(token).toBeGreaterThan(last);
        last = token;
        await server.command('FLUSHALL');
      }
    });

    it('38: tokens go on from what a database has seen', async () => {
      const before = await a.hold('car');
      const seen = before.token + (1_000n << 33n);
      a.store.raise(seen);
      const raised = await a.hold('bus');
      expect(raised.token).toBe(seen + 1n);
      a.store.raise(seen - (500n << 33n));
      expect((await b.hold('van')).token).toBe(raised.token + 1n);
      expect(await a.store.acquire(a.claim('plane'))).toMatchObject({ state: 'granted' });
    });

    it('39: tokens beyond 2^53 stay exact, and the last of an epoch is followed by the first of the next', async () => {
      const start = await a.hold('start');
      expect(start.token).toBeGreaterThan(2n ** 53n);
      expect(await a.store.extend([{ ...start, token: start.token + 1n }])).toEqual(['lost']);
      expect(await a.store.extend([{ ...start, token: start.token - 1n }])).toEqual(['lost']);
      await server.command('HSET', 'roost:{lock}:lock:state', 'fence', String(2 ** 33 - 2));
      const [last, next] = [await a.hold('last'), await b.hold('next')];
      expect(last.token & (2n ** 33n - 1n)).toBe(2n ** 33n - 1n);
      expect(next.token).toBe(last.token + 2n);
      expect((await b.hold('after')).token).toBe(next.token + 1n);
      expect(await a.store.extend([last])).toEqual(['extended']);
      expect((await a.store.inspect('mutex', 'last')).holders[0]!.token).toBe(last.token);
    });

    it('is taken for new only when it has no trace of locks, and someone said so', async () => {
      expect(await a.store.adopt()).toBe(false);
      await server.command('FLUSHALL');
      expect(await b.store.adopt()).toBe(true);
      expect(await a.store.acquire(a.claim('car'))).toMatchObject({ state: 'granted' });
      await anew();
      expect(await eventuallyDecides(() => a.store.acquire(a.claim('car')))).toMatchObject({ state: 'quarantine' });
      expect(await eventuallyDecides(() => b.store.adopt())).toBe(false);
    });

    it('remembers itself for 90 days from its last day with a grant on', async () => {
      await a.hold('bike');
      await server.command('HINCRBY', 'roost:{lock}:lock:state', 'day', -1); // it was yesterday
      await server.command('PEXPIRE', 'roost:{lock}:lock:state', 5_000);
      await a.hold('car');
      expect(Number(await server.command('PTTL', 'roost:{lock}:lock:state'))).toBeGreaterThan(89 * 86_400_000);
    });

    it('works for a user who may not ask for the replication id: empty is noticed, other losses are not', async () => {
      const shy = await RedisServer.start({ aclUsers: ['shy on >secret ~* &* +@all -info'] });
      others.push(shy);
      const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined); // the client says so, too
      const one = await peer(shy.url.replace('redis://', 'redis://shy:secret@'));
      expect(await one.store.acquire(one.claim('car'))).toMatchObject({ state: 'quarantine' });
      await eventually(async () => (await one.store.acquire(one.claim('car'))).state === 'granted', { within: 2 * Q });
      await shy.command('SAVE');
      await shy.kill();
      await shy.restart();
      expect(await eventuallyDecides(() => one.store.acquire(one.claim('bus')))).toMatchObject({ state: 'granted' });
      // Somebody who may ask does not make it forget, nor is it asked to by turns.
      await shy.command('HSET', 'roost:{lock}:lock:state', 'inc', 'abc');
      expect(await one.store.acquire(one.claim('van'))).toMatchObject({ state: 'granted' });
      warn.mockRestore();
    });
  });
});
