import fc from 'fast-check';
import { LatencyHistogram } from './latency-histogram.js';

describe('LatencyHistogram', () => {
  it('is at most 1 % above the exact quantile, never below', () => {
    const latency = fc.double({ min: 0.01, max: 60_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1 }), fc.constantFrom(0.5, 0.95, 0.99, 1), (latencies, share) => {
        const histogram = new LatencyHistogram();
        for (const each of latencies) histogram.record(each);
        const exact = latencies.toSorted((a, b) => a - b)[Math.ceil(share * latencies.length) - 1]!;
        expect(histogram.quantile(share)).toBeGreaterThanOrEqual(exact * 0.999999);
        expect(histogram.quantile(share)).toBeLessThanOrEqual(exact * 1.010001);
      }),
    );
  });

  it('knows nothing at first, the largest exactly, and takes 0', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.quantile(0.95)).toBeNaN();
    for (const each of [0, 119.9, 3]) histogram.record(each);
    expect([histogram.count, histogram.maxMs, histogram.quantile(1)]).toEqual([3, 119.9, 119.9]);
  });
});
