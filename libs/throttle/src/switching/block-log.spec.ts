import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BlockLog } from './block-log.js';
import type { Ruling } from './rate-limit.switch.js';

const HOUR = 3_600_000;
const refusal = (policy: string, subject: string, retryAfterMs: number | null, blocked = true) =>
  ({
    charge: { subject, limit: { name: policy, block: { after: 3, forMs: HOUR, withinMs: HOUR } } },
    verdict: { allowed: false, blocked, retryAfterMs },
  }) as unknown as Ruling;

describe('BlockLog', () => {
  let told: unknown[];
  let log: BlockLog;
  beforeEach(() => {
    jest.useFakeTimers();
    told = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((_message: unknown, details: unknown) => {
      const { policy, subject, suppressed } = details as Record<string, unknown>;
      told.push([policy, subject, suppressed]);
    });
    log = new BlockLog();
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('tells of the refusal that begins a block, and not of later ones', () => {
    log.refused([refusal('login', 'a', HOUR), refusal('other', 'a', 500, false)]);
    jest.advanceTimersByTime(2_000);
    log.refused([refusal('login', 'a', HOUR - 2_000)]);
    log.refused([refusal('login', 'a', null, false)]);
    expect(told).toEqual([['login', 'a', 0]]);
  });

  it('tells once a second of each policy, and of how many it did not', () => {
    for (const subject of ['a', 'b', 'c']) log.refused([refusal('login', subject, HOUR)]);
    log.refused([refusal('search', 'a', HOUR)]);
    jest.advanceTimersByTime(1_000);
    log.refused([refusal('login', 'd', HOUR)]);
    expect(told).toEqual([
      ['login', 'a', 0],
      ['search', 'a', 0],
      ['login', 'd', 2],
    ]);
  });
});
