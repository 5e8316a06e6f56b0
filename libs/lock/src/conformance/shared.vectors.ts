import { expect } from '@jest/globals';
import { RW_UNITS, type LockClaim, type LockHold } from '../stores/lock.store.js';
import { Bench, vectorsOf, WAITER_TTL_MS, type Asked, type LockVector } from './bench.js';

const read: Asked = { kind: 'rw', weight: 1, limit: RW_UNITS };
const write: Asked = { kind: 'rw', weight: RW_UNITS, limit: RW_UNITS };
const units = (weight: number, limit = 3): Asked => ({ kind: 'semaphore', weight, limit });

/** What a read-write lock promises. */
export const rwVectors = vectorsOf(['rw', 'queue'], {
  '34: readers share; a waiting writer lets no new reader in and comes after the last': async (bench) => {
    const readers = await holds(bench, [read, read, read]);
    const [writer, late] = [bench.waiter(write), bench.waiter(read)];
    expect(await bench.states(writer, late, bench.claim(read))).toEqual(['busy', 'busy', 'busy']);
    expect(await bench.store.extend(readers)).toEqual(['extended', 'extended', 'extended']);
    expect(await bench.hold(readers[1]!)).toEqual(readers[1]);
    for (const reader of readers) {
      expect(await bench.states(late, writer)).toEqual(['busy', 'busy']);
      expect(await bench.outcomeOf(reader)).toBe('released');
    }
    await bench.turnOf(writer);
    expect(await bench.states(late, bench.claim(read))).toEqual(['busy', 'busy']);
    const written = await bench.hold(writer);
    expect(await bench.states(late, bench.claim(write))).toEqual(['busy', 'busy']);
    await bench.store.release(written);
    await bench.turnOf(late);
    expect(await bench.states(late, bench.claim(write))).toEqual(['granted', 'busy']);
  },

  '34: readers in a row are told one after the other, up to the next writer': async (bench) => {
    const writer = await bench.hold(bench.claim(write));
    const readers = [bench.waiter(read), bench.waiter(read), bench.waiter(read)];
    const [last, behind] = [bench.waiter(write), bench.waiter(read)];
    await bench.states(...readers, last, behind);
    await bench.store.release(writer);
    for (const reader of readers) {
      await bench.turnOf(reader);
      expect(await bench.states(reader)).toEqual(['granted']);
    }
    expect(await bench.states(behind, last)).toEqual(['busy', 'busy']);
  },

  '34: a writer’s wait that ends lets the readers behind it in': async (bench) => {
    await bench.hold(bench.claim(read));
    const [writer, reader] = [bench.waiter(write), bench.waiter(read)];
    expect(await bench.states(writer, reader)).toEqual(['busy', 'busy']);
    await bench.store.withdraw(writer);
    await bench.turnOf(reader);
    expect(await bench.states(reader)).toEqual(['granted']);
  },

  '34: a writer without a sign of life does not keep readers out': async (bench) => {
    await bench.hold(bench.claim({ ...read, ttlMs: 60_000 }));
    await bench.states(bench.waiter(write));
    await bench.opened.pass(WAITER_TTL_MS + 1);
    expect(await bench.states(bench.claim(read))).toEqual(['granted']);
  },

  'a reader’s time runs out like any other': async (bench) => {
    const [short] = await holds(bench, [
      { ...read, ttlMs: 3_000 },
      { ...read, ttlMs: 20_000 },
    ]);
    const writer = bench.waiter(write);
    expect(await bench.store.acquire(writer)).toEqual({ state: 'busy', retryInMs: expect.any(Number) });
    await bench.opened.pass(3_001);
    expect(await bench.store.extend([short!])).toEqual(['lost']);
    expect(await bench.outcomeOf(short!)).toBe('absent');
    expect(await bench.states(writer)).toEqual(['busy']);
    await bench.opened.pass(17_000);
    expect(await bench.states(writer)).toEqual(['granted']);
  },
});

/** What a semaphore promises. */
export const semaphoreVectors = vectorsOf(['semaphore', 'queue'], {
  '35: never more than its permits are out, whatever each takes': async (bench) => {
    expect(await bench.states(bench.claim(units(2)), bench.claim(units(2)))).toEqual(['granted', 'busy']);
    const [one] = await holds(bench, [units(1)]);
    expect(await bench.states(bench.claim(units(1)))).toEqual(['busy']);
    expect(await bench.outcomeOf(one!)).toBe('released');
    expect(await bench.outcomeOf(one!)).toBe('absent');
    expect(await bench.states(bench.claim(units(2)), bench.claim(units(1)))).toEqual(['busy', 'granted']);
  },

  '35: of three hundred who come at once three are let in, and all of them in the end': async (bench) => {
    const waiting = new Set(Array.from({ length: 300 }, () => bench.waiter({ ...units(1), ttlMs: 60_000 })));
    const holding: LockHold[] = [];
    const ask = async (claim: LockClaim) => {
      const outcome = await bench.store.acquire(claim);
      if (outcome.state !== 'granted') return;
      holding.push({ ...claim, token: outcome.token });
      waiting.delete(claim);
      const held = (await bench.store.inspect('semaphore', bench.key())).holders;
      expect(held.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(3);
    };
    await Promise.all([...waiting].map(ask));
    expect([holding.length, waiting.size]).toEqual([3, 297]);
    const tokens = new Set<bigint>();
    while (holding.length > 0) {
      const done = holding.splice(0);
      expect(done.length).toBeLessThanOrEqual(3);
      for (const { token } of done) tokens.add(token);
      await Promise.all(done.map((hold) => bench.store.release(hold)));
      await Promise.all([...waiting].slice(0, 4).map(ask));
    }
    expect([waiting.size, tokens.size]).toEqual([0, 300]);
  },

  '35: the permits of one who vanished are free when its time is over, one by one': async (bench) => {
    await holds(bench, [
      { ...units(1), ttlMs: 3_000 },
      { ...units(1), ttlMs: 6_000 },
      { ...units(1), ttlMs: 9_000 },
    ]);
    const outcome = await bench.store.acquire(bench.claim(units(1)));
    expect(outcome.state === 'busy' && outcome.retryInMs > 1_000 && outcome.retryInMs <= 3_000).toBe(true);
    await bench.opened.pass(3_001);
    expect(await bench.states(bench.claim(units(2)), bench.claim(units(1)))).toEqual(['busy', 'granted']);
    await bench.opened.pass(6_000);
    expect(await bench.states(bench.claim(units(2)))).toEqual(['granted']);
  },

  '35: another number of permits is refused while it is in use': async (bench) => {
    const [hold] = await holds(bench, [units(1, 30)]);
    const waiter = bench.waiter(units(1, 5));
    expect(await bench.store.acquire(waiter)).toEqual({ state: 'mismatch', limit: 30 });
    expect(await bench.store.inspect('semaphore', bench.key())).toMatchObject({ waiting: 0, holders: [{ weight: 1 }] });
    expect(await bench.states(bench.claim(units(29, 30)))).toEqual(['granted']);
    expect(await bench.outcomeOf(hold!)).toBe('released');
    await bench.store.force('semaphore', bench.key());
    expect(await bench.states(waiter, bench.claim(units(5, 30)))).toEqual(['granted', 'mismatch']);
    await bench.opened.pass(10_001);
    expect(await bench.states(bench.claim(units(30, 30)))).toEqual(['granted']);
  },

  '35: who waits with another number of permits does not hold up the others': async (bench) => {
    const [hold] = await holds(bench, [units(3)]);
    const [first, other, third] = [bench.waiter(units(1)), bench.waiter(units(5, 5)), bench.waiter(units(1))];
    await bench.states(first);
    await bench.store.release(hold!);
    expect(await bench.states(other, third)).toEqual(['busy', 'busy']);
    expect(await bench.states(first)).toEqual(['granted']);
    expect(await bench.states(other)).toEqual(['mismatch']);
    await bench.turnOf(third);
    expect(await bench.states(third)).toEqual(['granted']);
  },

  '29: who asks for little does not pass one who waits for much': async (bench) => {
    const [two] = await holds(bench, [units(2)]);
    const much = bench.waiter(units(3));
    expect(await bench.states(much, bench.claim(units(1)), bench.waiter(units(1)))).toEqual(['busy', 'busy', 'busy']);
    await bench.store.release(two!);
    await bench.turnOf(much);
    expect(await bench.states(bench.claim(units(1)), much)).toEqual(['busy', 'granted']);
  },

  'when the head is served and there is room left, the next is told': async (bench) => {
    const [all] = await holds(bench, [units(3)]);
    const [one, two, three] = [bench.waiter(units(1)), bench.waiter(units(2)), bench.waiter(units(1))];
    await bench.states(one, two, three);
    await bench.store.release(all!);
    await bench.turnOf(one);
    const held = await bench.hold(one);
    await bench.turnOf(two);
    expect(await bench.states(two, three)).toEqual(['granted', 'busy']);
    await bench.store.release(held);
    await bench.turnOf(three);
    expect(await bench.states(three)).toEqual(['granted']);
  },

  'a release asks for the next claim of its process, and leaves room for others': async (bench) => {
    const [all] = await holds(bench, [units(3)]);
    const other = bench.waiter(units(2));
    await bench.states(other);
    const behind = await bench.store.release(all!, bench.waiter(units(1)));
    expect([behind.outcome, behind.next?.state]).toEqual(['released', 'busy']);
    await bench.turnOf(other);
    const held = await bench.hold(other);
    const next = await bench.store.release(held, bench.claim(units(1)));
    expect([next.outcome, next.next?.state]).toEqual(['released', 'busy']);
  },

  '39: extended with exactly its token, and asked again with a full lifetime': async (bench) => {
    const claim = bench.claim(units(2));
    const hold = await bench.hold(claim);
    for (const token of [hold.token - 1n, hold.token + 1n]) {
      expect(await bench.store.extend([{ ...hold, token }])).toEqual(['lost']);
    }
    await bench.opened.pass(8_000);
    expect(await bench.store.extend([hold])).toEqual(['extended']);
    await bench.opened.pass(8_000);
    expect(await bench.hold(claim)).toEqual(hold);
    await bench.opened.pass(8_000);
    expect(await bench.states(bench.claim(units(2)))).toEqual(['busy']);
    expect(await bench.store.inspect('semaphore', bench.key())).toEqual({
      waiting: 0,
      holders: [expect.objectContaining({ holder: hold.holder, token: hold.token, weight: 2 })],
    });
  },

  'taken by force, all its permits are free': async (bench) => {
    const held = await holds(bench, [units(1), units(2)]);
    const waiter = bench.waiter(units(3));
    await bench.states(waiter);
    const taken = await bench.store.force('semaphore', bench.key());
    expect(taken.map(({ holder }) => holder).toSorted()).toEqual(held.map(({ holder }) => holder).toSorted());
    await bench.turnOf(waiter);
    expect(await bench.store.extend(held)).toEqual(['lost', 'lost']);
    expect(await bench.states(waiter)).toEqual(['granted']);
  },
});

/** What holds between kinds. */
export const kindVectors: readonly LockVector[] = vectorsOf(['rw', 'semaphore'], {
  'a mutex, a read-write lock and a semaphore of one name are three': async (bench) => {
    const held = await holds(bench, [{}, write, units(3)]);
    expect(await bench.states(bench.claim(), bench.claim(read), bench.claim(units(1)))).toEqual([
      'busy',
      'busy',
      'busy',
    ]);
    expect(await bench.store.extend(held)).toEqual(['extended', 'extended', 'extended']);
    await bench.store.force('rw', bench.key());
    expect(await bench.store.extend(held)).toEqual(['extended', 'lost', 'extended']);
    expect(await bench.states(bench.claim(), bench.claim(read), bench.claim(units(1)))).toEqual([
      'busy',
      'granted',
      'busy',
    ]);
  },

  'tokens rise across kinds and keys': async (bench) => {
    const held = await holds(bench, [{}, write, units(1), units(1), { keys: ['b'] }, { ...read, keys: ['b'] }]);
    const tokens = held.map(({ token }) => token);
    for (const [i, token] of tokens.slice(1).entries()) expect(token).toBeGreaterThan(tokens[i]!);
  },
});

async function holds(bench: Bench, asked: readonly Asked[]): Promise<LockHold[]> {
  const held: LockHold[] = [];
  for (const each of asked) held.push(await bench.hold(bench.claim(each)));
  return held;
}
