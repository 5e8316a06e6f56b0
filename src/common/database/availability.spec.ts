import { Availability } from './availability.js';
import { DatabaseUnavailableError } from './database.errors.js';

/** A moment that lets promises that have settled be told of. */
const settled = () => jest.advanceTimersByTimeAsync(0);

describe('availability', () => {
  const probe = jest.fn<Promise<void>, []>();
  let availability: Availability;

  beforeEach(() => {
    jest.useFakeTimers();
    probe.mockReset().mockRejectedValue(new DatabaseUnavailableError('ECONNREFUSED', true));
    availability = new Availability(probe);
  });
  afterEach(() => {
    availability.stop();
    jest.useRealTimers();
  });

  it('refuses at once while the database is lost, and asks every second whether it is back', async () => {
    availability.assert();
    availability.learn(new DatabaseUnavailableError('ECONNREFUSED', true));
    expect(() => availability.assert()).toThrow(
      expect.objectContaining({ retryAfterMs: 1_000, reason: 'ECONNREFUSED' }),
    );
    await jest.advanceTimersByTimeAsync(2_500);
    expect(probe).toHaveBeenCalledTimes(3); // at once, and after each second
    expect(availability.reason).toBe('ECONNREFUSED');

    probe.mockResolvedValue();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(availability.reason).toBeUndefined();
    availability.assert();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(probe).toHaveBeenCalledTimes(4);
  });

  it('takes one broken connection for an outage no longer than a probe takes', async () => {
    probe.mockResolvedValue();
    availability.learn(new Error('Connection terminated unexpectedly'));
    expect(availability.reason).toBe('connection_lost');
    await settled();
    expect(availability.reason).toBeUndefined();
  });

  it.each([
    ['a mistake', Object.assign(new Error('relation "x" does not exist'), { code: '42P01' })],
    ['a server that has no connection left', Object.assign(new Error('too many clients'), { code: '53300' })],
    ['a pool that has lent all it has', new Error('timeout exceeded when trying to connect')],
    ['a row that somebody else has for too long', Object.assign(new Error('canceling'), { code: '57014' })],
    ['an error of the network from elsewhere', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
  ])('does not take %s for an outage', (_, error) => {
    availability.learn(error);
    expect([availability.reason, probe.mock.calls]).toEqual([undefined, []]);
  });

  it('asks once whether a slow database serves, and believes that it does until it does not answer', async () => {
    probe.mockResolvedValueOnce();
    availability.suspect();
    availability.suspect();
    expect(availability.reason).toBeUndefined();
    await settled();
    expect([probe.mock.calls.length, availability.reason]).toEqual([1, undefined]);
    availability.suspect();
    await settled();
    expect(availability.reason).toBe('ECONNREFUSED');
  });

  it('asks no more once it is stopped', async () => {
    availability.learn(new DatabaseUnavailableError('timeout', true));
    availability.stop();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(probe).not.toHaveBeenCalled();
  });
});
