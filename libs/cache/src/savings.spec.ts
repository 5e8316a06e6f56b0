import { estimateSavings } from './savings.js';

/** Seed 004: what is called a day, and what it costs. */
const costs = [
  { name: 'TfL', callsPerDay: 1_000, costPerCall: 0 },
  { name: 'Google Maps', callsPerDay: 500, costPerCall: 0.005 },
  { name: 'Perplexity', callsPerDay: 200, costPerCall: 0.01 },
  { name: 'Modal', callsPerDay: 1_000, costPerCall: 0.002 },
];

describe('what a cache saves', () => {
  it('394: 6.50 a day and 195 a month are paid without', () => {
    const { perDay, perMonth, calls } = estimateSavings(costs, { hitRate: 0 });
    expect(calls.map(({ before }) => before)).toEqual([0, 2.5, 2, 2]);
    expect([perDay, perMonth]).toEqual([
      { before: 6.5, after: 6.5, saved: 0 },
      { before: 195, after: 195, saved: 0 },
    ]);
  });

  it('395 and 396: as claimed 0.85 a day and 25.5 a month are left, 169.5 or 86.9 % saved; Modal does not follow', () => {
    const claimed = { TfL: 100, 'Google Maps': 50, Perplexity: 20, Modal: 200 };
    const estimate = estimateSavings(costs, { hitRate: 0.9, after: claimed });
    expect(estimate.calls.map(({ after }) => after)).toEqual([0, 0.25, 0.2, 0.4]);
    expect(estimate).toMatchObject({
      perDay: { before: 6.5, after: 0.85, saved: 5.65 },
      perMonth: { before: 195, after: 25.5, saved: 169.5 },
      percent: 86.9,
      flags: ['Modal: 200 calls a day are claimed to be left, 100 follow from 90% hits'],
    });
    expect(estimate.calls.filter(({ expectedCallsAfter }) => expectedCallsAfter !== undefined)).toEqual([
      { name: 'Modal', before: 2, after: 0.4, callsAfter: 200, expectedCallsAfter: 100 },
    ]);
  });

  it('C24: 90 % hits leave 0.65 a day', () => {
    const estimate = estimateSavings(costs, { hitRate: 0.9 });
    expect(estimate.calls.at(-1)).toEqual({ name: 'Modal', before: 2, after: 0.2, callsAfter: 100 });
    expect(estimate).toMatchObject({ perDay: { after: 0.65 }, perMonth: { saved: 175.5 }, percent: 90, flags: [] });
  });

  it('C25: a million commands a day at 0.20 for 100,000 are 60 a month, and not 10 to 50', () => {
    const commands = { name: 'commands', callsPerDay: 1_000_000, costPerCall: 0.2 / 100_000 };
    expect(estimateSavings([commands], { hitRate: 0, claimedPerMonth: [10, 50] })).toMatchObject({
      perMonth: { after: 60 },
      flags: ['10 to 50 a month are claimed, 60 follow'],
    });
    expect(estimateSavings([commands], { hitRate: 0.5, claimedPerMonth: [10, 50] }).flags).toEqual([]);
  });

  it('what costs nothing saves nothing', () => {
    expect(estimateSavings([], { hitRate: 0.9 })).toMatchObject({ percent: 0, flags: [] });
    expect(estimateSavings([costs[0]!], { hitRate: 1 }).percent).toBe(0);
  });

  it.each([
    [{ hitRate: 1.1 }, '`hitRate`'],
    [{ hitRate: Number.NaN }, '`hitRate`'],
    [{ hitRate: 0.9, after: { Modal: -1 } }, '`after` of Modal'],
  ])('refuses %j', (assumptions, what) => {
    expect(() => estimateSavings(costs, assumptions)).toThrow(what);
  });
});
