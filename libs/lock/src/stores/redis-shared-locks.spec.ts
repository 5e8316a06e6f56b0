import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { Bench, passInRedis, WAITER_TTL_MS, type Asked } from '../testing.js';
import { lockKeys } from './lock.keys.js';
import { RW_UNITS, type LockHold, type LockKind } from './lock.store.js';
import { RedisLockStore } from './redis-lock.store.js';

const QUARANTINE_MS = 60_000;

const read: Asked = { kind: 'rw', weight: 1, limit: RW_UNITS };
const write: Asked = { kind: 'rw', weight: RW_UNITS, limit: RW_UNITS };
const units = (weight: number): Asked => ({ kind: 'semaphore', weight, limit: 3 });

describe('RedisSharedLocks', () => {
  let server: RedisServer;
  let redis: Connected;
  let bench: Bench;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 });
  });
  beforeEach(async () => {
    await server.command('FLUSHALL');
    bench = new Bench(opened('a'));
    await (bench.store as RedisLockStore).adopt();
  });
  afterEach(() => bench.close());
  afterAll(async () => {
    await redis?.close();
    await server?.stop();
  });

  function opened(instance: string) {
    const { commands, pubsub } = redis;
    const rest = { instance, owner: 'host:1', waiterTtlMs: WAITER_TTL_MS, quarantineMs: QUARANTINE_MS };
    const store = new RedisLockStore({ commands, again: commands, pubsub, ...rest });
    return { store, instance, pass: (ms: number) => passInRedis(commands, ms), close: () => undefined };
  }

  const holds = async (...asked: Asked[]) => {
    const held: LockHold[] = [];
    for (const each of asked) held.push(await bench.hold(bench.claim(each)));
    return held;
  };
  const keys = async () => (await server.command('KEYS', '*lock:shared*')) as string[];
  const weights = async (kind: LockKind) => {
    const { holders } = await bench.store.inspect(kind, bench.key());
    return holders.map(({ weight }) => weight).toSorted((a, b) => a - b);
  };

  it.each([
    ['readers', [read, read], write],
    ['a writer', [write], read],
    ['permits', [units(1), units(2)], units(1)],
  ])(
    '15: after a loss of memory %s are reclaimed under their tokens, and nobody else is let in',
    async (_who, asked, other) => {
      const held = await holds(...asked);
      await server.command('FLUSHALL');
      expect(await bench.states(bench.claim(other))).toEqual(['quarantine']);
      expect(await bench.store.extend(held)).toEqual(held.map(() => 'reclaimed'));
      expect(await bench.store.extend(held)).toEqual(held.map(() => 'extended'));
      const { holders } = await bench.store.inspect(held[0]!.kind, bench.key());
      expect(new Set(holders.map(({ token }) => token))).toEqual(new Set(held.map(({ token }) => token)));
      expect(await bench.states(held[0]!)).toEqual(['granted']);
      expect(await bench.states(bench.claim(other))).toEqual(['quarantine']);
      await passHolding(held);
      expect(await bench.states(bench.claim(other))).toEqual(['busy']);
      for (const hold of held) expect(await bench.outcomeOf(hold)).toBe('released');
      expect((await bench.hold(bench.claim(other))).token).toBeGreaterThan(held.at(-1)!.token);
    },
  );

  /** Lets the quarantine go by while the holds are renewed. */
  async function passHolding(held: readonly LockHold[]): Promise<void> {
    for (let passed = 0; passed <= QUARANTINE_MS; passed += 7_000) {
      await bench.opened.pass(7_000);
      await bench.store.extend(held);
    }
  }

  it('13: what nobody reclaims is free after the quarantine, and not before', async () => {
    await holds(units(3));
    await server.command('FLUSHALL');
    const outcome = await bench.store.acquire(bench.claim(units(1)));
    expect(outcome.state === 'quarantine' && outcome.retryInMs > 50_000 && outcome.retryInMs <= QUARANTINE_MS).toBe(
      true,
    );
    await bench.opened.pass(QUARANTINE_MS - 1_000);
    expect(await bench.states(bench.claim(units(1)))).toEqual(['quarantine']);
    await bench.opened.pass(1_001);
    expect(await bench.states(bench.claim(units(3)))).toEqual(['granted']);
  });

  it('14: what the data still has is extended; who released since then keeps nobody out for longer than its time', async () => {
    const [kept, released] = await holds(units(1), units(1));
    await bench.store.release(released!);
    const later = await bench.hold(bench.claim(units(2)));
    await server.command('FLUSHALL');
    await bench.store.acquire(bench.claim()); // begins the quarantine
    await bench.store.extend([kept!, released!]); // an older state, with one who has released since
    expect(await bench.store.extend([kept!, later])).toEqual(['extended', 'reclaimed']);
    expect(await weights('semaphore')).toEqual([1, 1, 2]);
    await passHolding([kept!, later]);
    expect(await weights('semaphore')).toEqual([1, 2]);
    expect(await bench.states(bench.claim(units(1)))).toEqual(['busy']);
    expect(await bench.outcomeOf(later)).toBe('released');
    expect(await bench.states(bench.claim(units(2)))).toEqual(['granted']);
  });

  it('10: a renewal that was overtaken by its release in a quarantine brings nothing back', async () => {
    const [first, second, third] = await holds(units(1), units(1), units(1));
    await server.command('FLUSHALL');
    expect(await bench.store.extend([second!, third!])).toEqual(['reclaimed', 'reclaimed']);
    expect(await bench.outcomeOf(first!)).toBe('absent');
    await bench.store.withdraw(second!);
    await bench.store.force('semaphore', bench.key());
    expect(await bench.store.extend([first!, second!, third!])).toEqual(['lost', 'lost', 'lost']);
    expect(await weights('semaphore')).toEqual([]);
    await bench.opened.pass(QUARANTINE_MS + 1);
    expect(await bench.states(bench.claim(units(3)))).toEqual(['granted']);
  });

  it('in a quarantine the newer of two grants to one holder is right, and counted once', async () => {
    const [hold] = await holds(units(2));
    const later = { ...hold!, token: hold!.token + 1n };
    await server.command('FLUSHALL');
    expect(await bench.store.extend([hold!])).toEqual(['reclaimed']);
    expect(await bench.store.extend([later, hold!])).toEqual(['reclaimed', 'lost']);
    await passHolding([later]);
    expect(await bench.states(bench.claim(units(2)), bench.claim(units(1)))).toEqual(['busy', 'granted']);
    expect(await weights('semaphore')).toEqual([1, 2]);
  });

  it('a renewal without a quarantine brings nothing back', async () => {
    const held = await holds(read, { ...units(2), keys: ['b'] });
    await server.command('DEL', ...(await keys()));
    expect(await bench.store.extend(held)).toEqual(['lost', 'lost']);
  });

  it('38: tokens rise over losses of memory, also twice in a second', async () => {
    const tokens: bigint[] = [];
    for (let loss = 0; loss < 3; loss++) {
      tokens.push((await bench.hold(bench.claim(units(1)))).token);
      await server.command('FLUSHALL');
      await bench.states(bench.claim(units(1)));
      await bench.opened.pass(QUARANTINE_MS + 1);
    }
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(tokens).size).toBe(3);
  });

  it('35: who waits in one process is woken by another', async () => {
    const other = new Bench(opened('b'));
    const [hold] = await holds(units(3));
    const keysOfA = [bench.key()];
    const waiter = { ...other.waiter(units(2)), keys: keysOfA };
    expect(await other.states(waiter)).toEqual(['busy']);
    await bench.store.release(hold!);
    await other.turnOf(waiter);
    expect(await other.states(waiter)).toEqual(['granted']);
    other.close();
  });

  it('35: of a thousand who come at once in two processes three are in at a time, and all in the end', async () => {
    const other = new Bench(opened('b'));
    const turns = new Map<string, () => void>();
    const stops = [bench, other].map((by) => by.store.onTurn((holder) => turns.get(holder ?? '')?.()));
    let inside = 0;
    let most = 0;
    const tokens = new Set<bigint>();
    const section = async (by: Bench) => {
      const claim = { ...by.waiter(units(1)), keys: [bench.key()] };
      for (;;) {
        const turn = new Promise<void>((resolve) => turns.set(claim.holder, resolve));
        const outcome = await by.store.acquire(claim);
        if (outcome.state === 'granted') {
          most = Math.max(most, ++inside);
          await new Promise(setImmediate);
          inside--;
          tokens.add(outcome.token);
          return by.store.release({ ...claim, token: outcome.token });
        }
        const timer = setTimeout(turns.get(claim.holder)!, WAITER_TTL_MS / 3);
        await turn;
        clearTimeout(timer);
      }
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => section(i % 2 === 0 ? bench : other)));
    for (const stop of stops) stop();
    other.close();
    expect([most, tokens.size]).toEqual([3, 1_000]);
    expect(await keys()).toEqual([]);
  });

  it('52: every key expires, and none outlives its use', async () => {
    const held = await holds(read, { ...units(1), ttlMs: 3_000 }, { ...units(1), ttlMs: 20_000 });
    await bench.states(bench.waiter(write), bench.waiter(units(3)));
    const templates = lockKeys.map(
      ({ template }) => new RegExp(`^roost:${template.replaceAll(/\{\w+\}(?!:lock)/g, '[^:]+')}$`),
    );
    const all = (await server.command('KEYS', '*')) as string[];
    expect(all.length).toBeGreaterThanOrEqual(9);
    for (const key of all) {
      expect(await server.command('PTTL', key)).toBeGreaterThan(0);
      expect(templates.filter((template) => template.test(key))).toHaveLength(1);
    }
    const left = await Promise.all((await keys()).map((key) => server.command('PTTL', key)));
    expect(Math.max(...left.map(Number))).toBeLessThanOrEqual(20_000);
    for (const hold of held) await bench.store.release(hold);
    expect(await keys()).toEqual([]);
    await holds({ ...units(1), keys: ['c'] });
    await bench.opened.pass(10_001);
    expect(await keys()).toEqual([]);
  });

  it('counts what is in use also when many run out at once', async () => {
    await Promise.all(Array.from({ length: 2_500 }, () => bench.hold(bench.claim({ ...read, ttlMs: 3_000 }))));
    await bench.hold(bench.claim({ ...read, ttlMs: 9_000 }));
    await bench.opened.pass(3_001);
    const writer = bench.waiter(write);
    expect(await bench.states(writer)).toEqual(['busy']);
    expect(await weights('rw')).toEqual([1]);
    await bench.opened.pass(6_000);
    expect(await bench.states(writer)).toEqual(['granted']);
  });

  it('extends more holds than fit into one script, of all kinds, each with its own answer', async () => {
    const asked = Array.from({ length: 250 }, (_, i): Asked => [read, units(1), {}][i % 3]!);
    const held = await holds(...asked.map((each, i) => ({ ...each, keys: [`${i}`] })));
    await Promise.all(held.filter((_, i) => i % 7 === 0).map((hold) => bench.store.release(hold)));
    expect(await bench.store.extend(held)).toEqual(held.map((_, i) => (i % 7 === 0 ? 'lost' : 'extended')));
  });
});
