import { Announcer } from './announcer.js';
import { Backend } from './backend.js';
import { Breaker, BREAKER_DEFAULTS } from './breaker.js';
import { UnconfiguredCommands } from './unconfigured-commands.js';

function announced(production: boolean, mode: 'auto' | 'memory' = 'auto', configured = true) {
  const clock = { now: 0 };
  const lines: string[] = [];
  const details: Record<string, unknown>[] = [];
  const at = (level: string) => (message: string, more: Record<string, unknown>) => {
    lines.push(`${level}: ${message}`);
    details.push(more);
  };
  const breaker: Breaker = new Breaker(
    BREAKER_DEFAULTS,
    () => clock.now,
    () => backend?.refresh(),
  );
  const breakers = configured ? { read: breaker, write: breaker } : undefined;
  const backend = new Backend('default', mode, new UnconfiguredCommands('default'), breakers, (error) => {
    throw error;
  });
  const logger = { log: at('log'), warn: at('warn'), error: at('error') };
  const announcer = new Announcer(logger, production, () => clock.now);
  const follow = () => announcer.follow(backend, () => 'connect ECONNREFUSED');
  return { announcer, backend, breaker, clock, details, follow, lines };
}

describe('Announcer', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('uses the exact sentences of the contract', () => {
    const production = announced(true);
    production.breaker.close();
    production.follow();
    production.breaker.trip('unreachable');
    expect(production.lines).toEqual([
      'log: Redis rate limiting backend connected',
      'error: PRODUCTION DEGRADED: Redis unavailable. Using in-memory fallback (single-instance only).',
    ]);
    const development = announced(false);
    development.follow();
    expect(development.lines).toEqual([
      'warn: Development: Using in-memory rate limiting. Redis: connect ECONNREFUSED',
    ]);
  });

  it('says that there is no Redis, or that none is wanted', () => {
    const bare = announced(false, 'auto', false);
    bare.follow();
    expect(bare.lines).toEqual(['warn: Development: Using in-memory rate limiting. Redis: not configured']);
    const chosen = announced(true, 'memory', false);
    chosen.follow();
    expect(chosen.lines).toEqual(['log: In-memory backend as configured (single-instance only).']);
  });

  it('warns at most once in five minutes, however often Redis comes and goes, and counts what it kept to itself', () => {
    const { breaker, clock, details, follow, lines } = announced(true);
    breaker.close();
    follow();
    for (let i = 0; i < 100; i++) {
      clock.now += 2_000;
      breaker.close();
      clock.now += 2_000;
      breaker.trip('timeout');
    }
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(2); // at 4 s and at 304 s
    expect(details.at(-1)).toMatchObject({ event: 'redis.connected' });
    const second = details.filter(({ event }) => event === 'redis.lost')[1];
    expect(second).toMatchObject({ suppressed: 74, reason: 'timeout' });
  });

  it('says it once for all connections, and is silent about a further one that has no Redis by choice', () => {
    const { announcer, backend, breaker, follow, lines } = announced(true);
    breaker.close();
    follow();
    const second = new Backend('second', 'auto', backend.commands, { read: breaker, write: breaker }, () => undefined);
    const none = new Backend('none', 'auto', backend.commands, undefined, () => undefined);
    for (const each of [second, none]) announcer.follow(each, () => undefined);
    breaker.trip('timeout');
    second.refresh();
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    backend.force('memory');
    backend.force(null);
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });

  it('reminds every five minutes while Redis stays lost', () => {
    const { announcer, clock, follow, lines } = announced(true);
    follow();
    for (let minutes = 0; minutes < 16; minutes++) {
      clock.now += 60_000;
      jest.advanceTimersByTime(60_000);
    }
    announcer.close();
    expect(lines).toHaveLength(4);
  });
});
