import { judge } from './judge.js';
import { Tally } from './tally.js';

function tallyOf(counts: Record<number, number>, latencyMs = 1, unanswered = 0): Tally {
  const tally = new Tally();
  for (const [status, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++) tally.answered(Number(status), latencyMs);
  }
  for (let i = 0; i < unanswered; i++) tally.noAnswer();
  return tally;
}

const failed = (tally: Tally, backends = ['redis'], backend: 'redis' | 'memory' | 'any' = 'redis') =>
  judge(tally, new Set(backends), { maxP95Ms: 120, backend })
    .filter(({ passed }) => !passed)
    .map(({ what }) => what);

describe('judge', () => {
  it('passes just below every threshold', () => {
    expect(failed(tallyOf({ 200: 985, 429: 4, 503: 9 }, 118, 0))).toEqual([]);
  });

  it.each<[string, Tally, string[]]>([
    ['p95 of 120 ms', tallyOf({ 200: 100 }, 120), ['p95 latency']],
    ['1 % of 5xx', tallyOf({ 200: 99, 500: 1 }), ['5xx, no answer']],
    ['1 % without an answer', tallyOf({ 200: 99 }, 1, 1), ['5xx, no answer']],
    ['0.5 % of 429', tallyOf({ 200: 199, 429: 1 }), ['429']],
    ['a single 404', tallyOf({ 200: 9_999, 404: 1 }), ['other statuses']],
    ['a single redirect', tallyOf({ 204: 9_999, 302: 1 }), ['other statuses']],
    ['no answer at all', tallyOf({}, 1, 5), ['p95 latency', '5xx, no answer']],
    ['no request at all', tallyOf({}), ['p95 latency', '5xx, no answer', '429']],
  ])('fails at %s', (_what, tally, expected) => {
    expect(failed(tally)).toEqual(expected);
  });

  it('wants the expected backend, always and alone', () => {
    const fine = tallyOf({ 200: 1 });
    expect(failed(fine, ['memory'])).toEqual(['backend']);
    expect(failed(fine, ['redis', 'memory'])).toEqual(['backend']);
    expect(failed(fine, [])).toEqual(['backend']);
    expect(failed(fine, ['memory'], 'memory')).toEqual([]);
    expect(failed(fine, [], 'any')).toEqual([]);
  });
});
