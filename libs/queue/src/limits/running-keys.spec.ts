import { eventually } from '@roost/testing';
import type { KeyHold } from './key-limits.js';
import { MemoryKeyLimits } from './memory-key-limits.js';
import { RunningKeys } from './running-keys.js';

const LEASE_MS = 60;

/** Limits that count renewals, each a third of a lease after the one before, and fail or hang on demand. */
class Limits extends MemoryKeyLimits {
  constructor() {
    super(() => this.ms);
  }
  readonly renewals: string[][] = [];
  ms = 0;
  before: (call: 'acquire' | 'renew' | 'release') => Promise<void> = async () => undefined;

  override async acquire(...args: Parameters<MemoryKeyLimits['acquire']>) {
    const verdict = await super.acquire(...args);
    await this.before('acquire'); // the answer is lost, not the question
    return verdict;
  }
  override async renew(...args: Parameters<MemoryKeyLimits['renew']>) {
    this.ms += LEASE_MS / 3;
    this.renewals.push(args[0].map(({ token }) => token));
    const lost = await super.renew(...args);
    await this.before('renew');
    return lost;
  }
  override async release(...args: Parameters<MemoryKeyLimits['release']>) {
    await this.before('release');
    return super.release(...args);
  }
}

describe('RunningKeys', () => {
  let limits: Limits;
  let running: RunningKeys;
  let lost: KeyHold[];
  let errors: unknown[];
  const claimOf = (token: string, key = 'a') => ({ queue: 'mail', key, token, concurrency: 1 });

  beforeEach(() => {
    limits = new Limits();
    [lost, errors] = [[], []];
    const [onLost, onError] = [(hold: KeyHold) => lost.push(hold), (error: unknown) => errors.push(error)];
    running = new RunningKeys({ limits, leaseMs: LEASE_MS, onLost, onError });
  });
  afterEach(() => running.close());

  it('keeps places for longer than a lease, all in one call', async () => {
    await running.start(claimOf('1'));
    await running.start(claimOf('2', 'b'));
    await eventually(() => limits.renewals.length >= 5, { within: 2_000, every: 5 });
    expect(new Set(limits.renewals.map((tokens) => tokens.join()))).toEqual(new Set(['1,2']));
    expect(await running.start(claimOf('3'))).toMatchObject({ granted: false, by: 'concurrency' });
    expect([running.size, lost, errors]).toEqual([2, [], []]);
  });

  it('gives a place back at once, and then has nothing to renew', async () => {
    await running.start(claimOf('1'));
    await running.finish(claimOf('1'));
    await running.finish(claimOf('1'));
    expect(await limits.acquire({ ...claimOf('2'), leaseMs: LEASE_MS })).toEqual({ granted: true });
    expect(running.size).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 2));
    expect(limits.renewals).toEqual([]);
  });

  it('tells once of a place that was lost', async () => {
    await running.start(claimOf('1'));
    await running.start(claimOf('2', 'b'));
    await limits.release(claimOf('1'));
    await eventually(() => limits.renewals.length >= 3, { within: 2_000, every: 5 });
    expect(lost).toEqual([{ queue: 'mail', key: 'a', token: '1' }]);
    expect(running.size).toBe(1);
  });

  it('does not take a place for lost that was given back while it was renewed', async () => {
    await running.start(claimOf('1'));
    await limits.release(claimOf('1')); // so that the renewal finds nothing
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((settle) => (resolve = settle));
    limits.before = (call) => (call === 'renew' ? promise : Promise.resolve());
    await eventually(() => limits.renewals.length > 0, { within: 2_000, every: 5 });
    await running.finish(claimOf('1'));
    await running.start(claimOf('1'));
    resolve();
    await eventually(() => limits.renewals.length > 2, { within: 2_000, every: 5 });
    expect([lost, running.size]).toEqual([[], 1]);
  });

  it('goes on renewing after one that fails, and one that is never answered', async () => {
    await running.start(claimOf('1'));
    const failure = new Error('down');
    limits.before = () => (limits.renewals.length === 1 ? Promise.reject(failure) : new Promise(() => undefined));
    await eventually(() => limits.renewals.length >= 4, { within: 2_000, every: 5 });
    expect([errors, lost]).toEqual([[failure], []]);
    limits.before = async () => undefined;
  });

  it('gives back what may have been granted without an answer', async () => {
    const failure = new Error('down');
    limits.before = (call) => (call === 'acquire' ? Promise.reject(failure) : Promise.resolve());
    await expect(running.start(claimOf('1'))).rejects.toBe(failure);
    limits.before = async () => undefined;
    expect(await running.start(claimOf('2'))).toEqual({ granted: true });
    expect(running.size).toBe(1);
  });

  it('ends a job whose place cannot be given back; it is free after its lease', async () => {
    await running.start(claimOf('1'));
    const failure = new Error('down');
    limits.before = () => Promise.reject(failure);
    await running.finish(claimOf('1'));
    expect(errors).toEqual([failure]);
    limits.before = async () => undefined;
    expect(await running.start(claimOf('2'))).toMatchObject({ granted: false });
    limits.ms += LEASE_MS;
    expect(await running.start(claimOf('2'))).toEqual({ granted: true });
  });

  it('gives everything back when it is closed', async () => {
    await running.start(claimOf('1'));
    await running.start(claimOf('2', 'b'));
    await running.close();
    expect(await limits.renew([claimOf('1'), claimOf('2', 'b')], 1_000)).toHaveLength(2);
    expect(running.size).toBe(0);
  });
});
