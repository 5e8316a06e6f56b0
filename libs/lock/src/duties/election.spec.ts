import { Metrics } from '@roost/redis';
import { eventually } from '@roost/testing';
import { LockConfig } from '../lock.config.js';
import {
  InvalidLockOptionsError,
  LockBusyError,
  LockLostError,
  LockQuarantineError,
  LockUnavailableError,
} from '../lock.errors.js';
import { LockMetrics } from '../lock.metrics.js';
import type { Lock } from '../lock.js';
import { LockRoom } from '../lock.room.js';
import type { LockService } from '../lock.service.js';
import { LockStores } from '../stores/lock.stores.js';
import { MemoryLockStore } from '../stores/memory-lock.store.js';
import { Candidacy, type Election, type ElectionOptions } from './election.js';
import { backOffMs } from './pause.js';

/** Processes that share one store. */
class Processes {
  readonly store = new MemoryLockStore();
  readonly logged: unknown[] = [];
  readonly #rooms: LockRoom[] = [];

  start(): LockRoom {
    const config = new LockConfig({ ttl: '10s' });
    const log = (message: unknown, details: unknown) => void this.logged.push({ message, details });
    const room = new LockRoom({
      config,
      stores: new LockStores(this.store),
      metrics: new LockMetrics(new Metrics()),
      logger: { warn: log, error: log },
      instance: `process${this.#rooms.length}`,
      space: 'test',
    });
    this.#rooms.push(room);
    return room;
  }

  async end(): Promise<void> {
    await Promise.all(this.#rooms.map((room) => room.drain()));
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });

const turns = async (count = 20) => {
  for (let i = 0; i < count; i++) await new Promise((resume) => setImmediate(resume));
};

describe('an election', () => {
  let processes: Processes;
  beforeEach(() => {
    processes = new Processes();
  });
  afterEach(() => processes.end());

  const stand = (options: Partial<ElectionOptions> = {}) =>
    processes.start().service.elect('indexer', { onElected: () => {}, ...options });

  it('has one leader, and a new one at once after each resignation, in the order of arrival', async () => {
    const candidates: Election[] = [];
    const leaders: number[] = [];
    const terms: bigint[] = [];
    const onElected = (index: number) => (term: Lock) => {
      expect(candidates.filter(({ leader }) => leader)).toHaveLength(1);
      expect(candidates[index]!.term).toBe(term.token);
      leaders.push(index);
      terms.push(term.token);
    };
    for (const index of [0, 1, 2]) {
      candidates.push(stand({ onElected: onElected(index) }));
      await turns();
    }
    for (let i = 0; i < 6; i++) {
      expect(leaders).toHaveLength(i + 1);
      const leader = candidates.find((each) => each.leader)!;
      await leader.resign();
      await turns();
    }
    expect(leaders).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(terms).toEqual(terms.toSorted((a, b) => Number(a - b)));
    expect(new Set(terms).size).toBe(7);
  });

  it('elects nobody before the work of the term has ended', async () => {
    const order: string[] = [];
    const first = stand({
      onElected: async ({ signal }) => {
        await aborted(signal);
        expect(first.leader).toBe(false);
        await turns();
        order.push('work ended');
      },
      onDemoted: async () => {
        await turns(30);
        order.push('demoted');
      },
    });
    await turns();
    stand({ onElected: () => void order.push('next') });
    await turns();
    await first.resign();
    await turns();
    expect(order).toEqual(['work ended', 'demoted', 'next']);
  });

  it('stays leader when onElected returns', async () => {
    const election = stand();
    await turns(50);
    expect(election.leader).toBe(true);
    expect(election.term).toBeGreaterThan(0n);
  });

  it('replaces a leader that was killed within its ttl', async () => {
    const killed = {
      kind: 'mutex',
      keys: ['elect:indexer'],
      holder: 'dead.1',
      ttlMs: 150,
      weight: 1,
      limit: 1,
    } as const;
    const claimedAt = performance.now();
    const { token } = (await processes.store.acquire({ ...killed, wait: false })) as { token: bigint };
    const election = stand();
    await turns();
    expect(election.leader).toBe(false);
    await eventually(() => expect(election.leader).toBe(true), { within: 2_000 });
    expect(performance.now() - claimedAt).toBeGreaterThanOrEqual(149);
    expect(performance.now() - claimedAt).toBeLessThan(400);
    expect(election.term).toBeGreaterThan(token);
  });

  it('tells a leader that was deposed, and stands again with a later term', async () => {
    const terms: bigint[] = [];
    const signals: AbortSignal[] = [];
    let demoted = 0;
    stand({
      ttl: 300,
      onElected: ({ token, signal }) => void (terms.push(token), signals.push(signal)),
      onDemoted: () => void demoted++,
    });
    await turns();
    await processes.store.force('mutex', 'elect:indexer');
    await eventually(() => expect(terms).toHaveLength(2), { within: 2_000 });
    expect(signals[0]!.reason).toBeInstanceOf(LockLostError);
    expect(terms[1]).toBeGreaterThan(terms[0]!);
    expect(demoted).toBe(1);
    expect(signals[1]!.aborted).toBe(false);
  });

  it('lets the leader resign from within its work, also by giving the lock back', async () => {
    let served = 0;
    const election: Election = stand({
      onElected: async (term) => {
        served++;
        if (served === 1) await election.resign();
        if (served === 2) await term.release();
        if (served === 3) await election.stop();
      },
    });
    await eventually(() => expect(served).toBe(3), { within: 2_000 });
    await turns();
    expect(election.leader).toBe(false);
    expect((await processes.store.inspect('mutex', 'elect:indexer')).holders).toEqual([]);
    expect(processes.logged).toEqual([]);
  });

  it('resigns when the process begins to end, and for good', async () => {
    const room = processes.start();
    const demoted: string[] = [];
    const election = room.service.elect('indexer', { onElected: () => {}, onDemoted: () => void demoted.push('x') });
    await turns();
    const next = stand();
    room.stopWaiting();
    await turns();
    expect([election.leader, next.leader, demoted]).toEqual([false, true, ['x']]);
    await next.stop();
    await turns();
    expect(election.leader).toBe(false);
    expect(room.service.elect('other', { onElected: () => {} }).leader).toBe(false);
    await turns();
    expect((await processes.store.inspect('mutex', 'elect:other')).holders).toEqual([]);
  });

  it('is stopped when its scope ends', async () => {
    {
      await using election = stand();
      await turns();
      expect(election.leader).toBe(true);
    }
    expect((await processes.store.inspect('mutex', 'elect:indexer')).holders).toEqual([]);
  });

  it('refuses wrong options, all at once', () => {
    const wrong = { onElected: 1, onDemoted: 2, tll: 3 } as unknown as ElectionOptions;
    const elect = () => processes.start().service.elect('', wrong);
    expect(elect).toThrow(InvalidLockOptionsError);
    expect(elect).toThrow(/name.*`tll`.*onElected.*onDemoted/s);
    expect(() => stand({ ttl: '2h' })).toThrow(/maxTtl/);
    expect(() => processes.start().service.elect('a', undefined!)).toThrow(InvalidLockOptionsError);
  });
});

describe('a candidate', () => {
  /** Locks that answer in turn; pauses that end when they are told to. */
  function candidate(answers: (() => Lock)[], options: Partial<ElectionOptions> = {}) {
    const pauses: number[] = [];
    const logged: string[] = [];
    const locks = {
      acquire: (_: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise<Lock>((resolve, reject) => {
          const answer = answers.shift();
          if (!answer) return signal.addEventListener('abort', () => reject(signal.reason as Error));
          try {
            resolve(answer());
          } catch (error) {
            reject(error as Error);
          }
        }),
    } as unknown as Pick<LockService, 'acquire'>;
    const log = (message: string, { event }: { event: string }) => void logged.push(`${event}: ${message}`);
    const election = new Candidacy(
      'indexer',
      { onElected: () => {}, ...options },
      {
        locks,
        logger: { warn: log, error: log },
        ttlMs: 10_000,
        pause: (ms, signal) => {
          pauses.push(ms);
          return ms === 10_000 ? Promise.race([turns(50), aborted(signal)]).then(() => {}) : Promise.resolve();
        },
      },
    );
    return { election, pauses, logged };
  }

  const failing = (error: Error) => () => {
    throw error;
  };

  function lock(onRelease: () => void = () => {}): Lock {
    const controller = new AbortController();
    let held = true;
    return {
      keys: ['elect:indexer'],
      token: 7n,
      signal: controller.signal,
      get held() {
        return held;
      },
      assertHeld() {},
      release: () => {
        held = false;
        onRelease();
        return Promise.resolve(true);
      },
    } as unknown as Lock;
  }

  it('goes on through outages and quarantines, with longer and longer pauses up to 5 s, and says so once', async () => {
    const outage = Array.from({ length: 12 }, (_, i) =>
      failing(i % 2 ? new LockQuarantineError(1) : new LockUnavailableError(new Error('gone'))),
    );
    const { election, pauses, logged } = candidate([...outage, () => lock()]);
    await turns(100);
    expect(election.leader).toBe(true);
    expect(pauses).toHaveLength(12);
    pauses.forEach((ms, i) => {
      const most = Math.min(5_000, 100 * 2 ** (i + 1));
      expect(ms).toBeGreaterThanOrEqual(most / 2);
      expect(ms).toBeLessThanOrEqual(most);
    });
    expect(logged).toEqual(['election.unavailable: Nobody can be elected now.']);
    await election.stop();
  });

  it('resigns when onElected fails, logs it once, and pauses before it stands again', async () => {
    let released = 0;
    let tries = 0;
    const onElected = () => {
      if (++tries < 3) throw new Error('no disk');
    };
    const one = () => lock(() => released++);
    const { election, pauses, logged } = candidate([one, one, one], { onElected });
    await turns(100);
    expect([election.leader, tries, released]).toEqual([true, 3, 2]);
    expect(logged).toEqual(Array(2).fill('election.failed: In an election onElected failed.'));
    expect(pauses.filter((ms) => ms < 10_000)).toHaveLength(2);
    await election.stop();
  });

  it('goes back to the line at once when it waited for so long that it was turned away', async () => {
    const { election, pauses, logged } = candidate([failing(new LockBusyError(['a'])), () => lock()]);
    await turns();
    expect(election.leader).toBe(true);
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeLessThanOrEqual(100);
    expect(logged).toEqual([]);
    await election.stop();
  });

  it('takes an abort for the end of the work, and logs what else it throws once the term is over', async () => {
    const errors = [new LockLostError(['a'], 'RELEASED'), new DOMException('stop', 'AbortError'), new Error('no disk')];
    const { election, logged } = candidate(Array(3).fill(lock) as (() => Lock)[], {
      onElected: async ({ signal }) => {
        await aborted(signal);
        throw errors.shift()!;
      },
    });
    for (let i = 0; i < 3; i++) {
      await turns();
      await election.resign();
    }
    expect(logged).toEqual(['election.failed: In an election onElected failed.']);
    await election.stop();
  });

  it('gives the lock back after a ttl although the work does not listen, and says so', async () => {
    let released = 0;
    const { election, logged } = candidate([() => lock(() => released++)], { onElected: () => new Promise(() => {}) });
    await turns();
    const resigned = election.resign();
    expect(election.leader).toBe(false);
    await turns(10);
    expect(released).toBe(0);
    await resigned;
    expect(released).toBe(1);
    expect(logged).toEqual(['election.overdue: Work goes on although its term of office is over.']);
    await election.stop();
  });

  it('goes on when onDemoted or the release fails', async () => {
    const broken = lock();
    broken.release = () => Promise.reject(new LockUnavailableError(new Error('gone')));
    const { election, logged } = candidate([() => broken, () => lock()], { onDemoted: failing(new Error('no disk')) });
    await turns();
    await election.resign();
    await turns();
    expect(election.leader).toBe(true);
    expect(logged).toEqual([
      'election.failed: In an election onDemoted failed.',
      'election.failed: In an election the release failed.',
    ]);
    await election.stop();
  });

  it('gives back what it is granted after it was stopped', async () => {
    let released = 0;
    let served = 0;
    let grant!: (lock: Lock) => void;
    const locks = { acquire: () => new Promise<Lock>((resolve) => (grant = resolve)) };
    const logger = { warn: () => {}, error: () => {} };
    const election = new Candidacy('indexer', { onElected: () => void served++ }, { locks, logger, ttlMs: 10_000 });
    const stopped = election.stop();
    grant(lock(() => released++));
    await stopped;
    expect([served, released]).toEqual([0, 1]);
  });

  it('spreads its pauses', () => {
    expect(backOffMs(1, () => 0)).toBe(100);
    expect(backOffMs(1, () => 1)).toBe(200);
    expect(backOffMs(1_000, () => 1)).toBe(5_000);
  });
});
