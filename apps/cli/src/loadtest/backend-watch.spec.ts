import { backendsIn } from './backend-watch.js';

describe('backendsIn', () => {
  it.each<[string, unknown, string[]]>([
    [
      'the connection',
      { status: 'ok', details: { redis: { status: 'up', mode: 'auto', current: 'redis' } } },
      ['redis'],
    ],
    ['the limits before the connection', { redis: { current: 'redis' }, throttle: { backend: 'memory' } }, ['memory']],
    [
      'limits deep inside',
      { details: { rateLimits: { default: { current: 'memory' } }, redis: { current: 'redis' } } },
      ['memory'],
    ],
    ['several connections', { redis: { current: 'redis' }, 'redis:locks': { current: 'memory' } }, ['redis', 'memory']],
    ['no backend', { status: 'ok', backend: 'postgres', mode: 'redis' }, []],
    ['null', null, []],
  ])('finds %s', (_what, state, backends) => {
    expect([...backendsIn(JSON.stringify(state))]).toEqual(backends);
  });

  it('finds nothing in what is no JSON', () => {
    expect(backendsIn('<html>').size).toBe(0);
  });
});
