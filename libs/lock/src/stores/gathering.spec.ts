import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { randomBytes } from 'node:crypto';
import type { LockClaim, LockHold } from './lock.store.js';
import { RedisLockStore } from './redis-lock.store.js';

describe('many claims at once', () => {
  let server: RedisServer;
  let app: TestingModule;
  let store: RedisLockStore;
  let instance: string;
  let claims = 0;

  const rest = { kind: 'mutex', ttlMs: 5_000, weight: 1, limit: 1, wait: false } as const;
  const claim = (key: string, options: Partial<LockClaim> = {}): LockClaim => {
    return { ...rest, keys: [key], holder: `${instance}.${++claims}`, ...options };
  };
  const many = (count: number, prefix = 'car') => Array.from({ length: count }, (_, i) => claim(`${prefix}-${i}`));
  const ask = (asked: readonly LockClaim[]) => Promise.all(asked.map((each) => store.acquire(each)));
  async function hold(asked: readonly LockClaim[]): Promise<LockHold[]> {
    const outcomes = await ask(asked);
    return asked.map((each, i) => {
      const outcome = outcomes[i]!;
      if (outcome.state !== 'granted') throw new Error(`Expected to be granted, got ${outcome.state}`);
      return { ...each, token: outcome.token };
    });
  }
  const calls = async () => (await server.commandStats())['evalsha']?.calls ?? 0;

  beforeEach(async () => {
    server = await RedisServer.start();
    app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url: server.url })] })
      .setLogger({ log() {}, warn() {}, error() {} })
      .compile();
    const connection = app.get(RedisConnections).get();
    instance = randomBytes(16).toString('base64url');
    const { commands, again } = connection.dedicated('locks');
    const { pubsub } = connection;
    const times = { waiterTtlMs: 5_000, quarantineMs: 60_000 };
    store = new RedisLockStore({ commands, again, pubsub, instance, owner: 'host:1', ...times });
    await app.init();
    await store.adopt();
    await ask(many(3, 'known')); // the server knows the scripts
  });
  afterEach(async () => {
    await app.close();
    await server.stop();
  });

  it('are granted in a few calls, each under a token of its own, in order', async () => {
    const before = await calls();
    const holds = await hold(many(100));
    expect((await calls()) - before).toBeLessThan(8);
    const tokens = holds.map(({ token }) => token);
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => Number(a - b)));
    for (const { keys, token } of [holds[0]!, holds[50]!, holds[99]!]) {
      const [holder] = (await store.inspect('mutex', keys[0]!)).holders;
      expect(holder).toMatchObject({ token, owner: 'host:1', ttlMs: expect.any(Number) });
    }
    expect(await server.command('PTTL', 'roost:{lock}:lock:mutex:car-99')).toBeGreaterThan(4_000);

    const released = await Promise.all(holds.map((each) => store.release(each)));
    expect(released).toEqual(holds.map(() => ({ outcome: 'released', next: undefined })));
    expect(await server.keys('roost:{lock}:lock:mutex:car*')).toEqual([]);
  });

  it('get the answers that each would get alone', async () => {
    const [own, other] = await hold([claim('own'), claim('other')]);
    await store.acquire(claim('queued', { wait: false }));
    const head = claim('queued', { wait: true });
    await store.acquire(head);
    await server.command('DEL', 'roost:{lock}:lock:mutex:queued'); // free, but somebody is before us

    const asked = [claim('a'), claim('other'), own!, claim('queued'), claim('b'), claim('twice'), claim('twice'), head];
    const outcomes = await ask(asked);
    expect(outcomes.map(({ state }) => state)).toEqual(
      ['granted', 'busy', 'granted', 'busy', 'granted', 'granted', 'busy', 'granted'], //
    );
    expect(outcomes[2]).toEqual({ state: 'granted', token: own!.token });

    const waiter = claim('other', { wait: true });
    await store.acquire(waiter);
    const turns: (string | undefined)[] = [];
    const heard = new Promise<void>((resolve) => {
      store.onTurn((holder) => (turns.push(holder), holder === waiter.holder && resolve()));
    });
    await new Promise((resume) => setTimeout(resume, 50)); // the subscription stands
    const [stranger, gone] = [claim('a'), claim('nothing')].map((each) => ({ ...each, token: 5n }));
    const released = await Promise.all([own!, other!, stranger!, gone!, own!].map((each) => store.release(each)));
    expect(released.map(({ outcome }) => outcome).slice(0, 4)).toEqual(['released', 'released', 'foreign', 'absent']);
    await heard;
  });

  it('are granted nothing while a Redis that forgot is in quarantine, and leave a mark when they are given back', async () => {
    const holds = await hold(many(10));
    await server.command('FLUSHALL');
    expect(new Set((await ask(many(10, 'bus'))).map(({ state }) => state))).toEqual(new Set(['quarantine']));
    expect(new Set(await store.extend(holds))).toEqual(new Set(['reclaimed']));
    await Promise.all(holds.map((each) => store.release(each)));
    // A renewal that was overtaken by the release does not put it back.
    expect(new Set(await store.extend(holds))).toEqual(new Set(['lost']));
  });

  it('39: go over into the next epoch together', async () => {
    await server.command('HSET', 'roost:{lock}:lock:state', 'fence', String(2 ** 33 - 4));
    const before = await hold([claim('before')]);
    const tokens = (await hold(many(40))).map(({ token }) => token);
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => Number(a - b)));
    expect(tokens[0]).toBeGreaterThan(before[0]!.token);
    expect((await hold([claim('after')]))[0]!.token).toBeGreaterThan(tokens.at(-1)!);
  });

  it('7: each learn that it is not known what became of them, and get the same token when they ask again', async () => {
    const asked = many(40);
    server.freeze();
    const failed = await Promise.allSettled(asked.map((each) => store.acquire(each)));
    for (const each of failed) {
      expect(each).toMatchObject({ reason: { code: 'lock.unavailable', outcomeUnknown: true } });
    }
    server.thaw();
    const holds = await hold(asked); // the calls that were given up came through, or did not: one grant of each either way
    expect(await hold(asked)).toEqual(holds);
  });
});
