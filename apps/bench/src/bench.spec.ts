import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { judgeBounds } from './bounds.js';
import { oneOfEachKind } from './job-runner.js';
import { HandledJobs, jobOf, produce, type BenchJob } from './jobs.js';
import { mergeResults } from './report.js';
import { median, rotated } from './statistics.js';
import type { Section } from './contention.js';
import { figures, type ContentionSlice } from './contention-slice.js';
import { suites } from './suites/index.js';
import { outage } from './suites/outage.js';
import { lockTargets } from './suites/lock-targets.js';
import { cacheBounds, cacheTargets } from './suites/cache-targets.js';
import { presenceBounds, presenceTargets } from './suites/presence.js';
import { queueBounds, queueTargets } from './suites/queue-targets.js';
import { targets } from './suites/targets.js';
import type { Row } from './runner.js';
import type { Slice } from './slice.js';
import { judge } from './verdicts.js';

const run = promisify(execFile);
const bench = (...args: string[]) => run(process.execPath, ['apps/bench/dist/main.js', ...args]);

describe('npm run bench', () => {
  it('measures every contestant under every load, and finds none of them broken', async () => {
    const { stdout } = await bench('all', '--rounds', '1', '--seconds', '0.02', '--patience', '0.4');
    const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));

    for (const { name, comparisons } of suites) {
      expect(stdout).toContain(`## ${name}\n`);
      for (const { contestants, scenarios } of comparisons) {
        for (const { title, without = [] } of scenarios) {
          const measured = rows.filter(([, scenario]) => scenario === title).map(([, , contestant]) => contestant);
          expect(measured).toEqual(contestants.filter((each) => !without.includes(each)));
        }
      }
    }
    const teams = suites.flatMap(({ contention, bursts, fairness, heartbeats, jobs = [] }) => [
      ...[contention ?? [], bursts ?? [], fairness ?? [], heartbeats ?? []].flat(),
      ...jobs.map((each) => ({ ...each, scenarios: oneOfEachKind(each) })),
    ]);
    for (const { contestants, scenarios } of teams) {
      for (const { title } of scenarios) {
        const measured = rows.filter(([, scenario]) => scenario === title).map(([, , contestant]) => contestant);
        expect(measured).toEqual(contestants);
      }
    }
    expect(stdout).not.toContain('broken');
    expect(stdout).not.toContain('NaN');

    for (const { title } of [...targets, ...cacheTargets, ...presenceTargets]) {
      const [row] = rows.filter(([, target, , met]) => target === title && /^(yes|\*\*no\*\*)$/.test(met ?? ''));
      expect([title, ...(row ?? [])]).toHaveLength(10); // found, and held against a rival
    }

    for (const { title } of [...lockTargets, ...cacheBounds, ...queueBounds, ...presenceBounds]) {
      const [row] = rows.filter(([, target, met]) => target === title && /^(yes|\*\*no\*\*)$/.test(met ?? ''));
      expect([title, ...(row ?? [])]).toHaveLength(8);
    }

    const answers = rows.filter(([, contestant]) => outage.contestants.includes(contestant as never));
    expect(answers.slice(-outage.contestants.length).map(([, contestant]) => contestant)).toEqual(outage.contestants);
    expect(answers.at(-outage.contestants.length)?.slice(2, 5)).toEqual([
      expect.stringMatching(/ms$/),
      expect.stringMatching(/ms$/),
      expect.stringMatching(/ms$/),
    ]);
  }, 240_000);

  it('says how it is used', async () => {
    await expect(bench('nonsense')).rejects.toMatchObject({ stderr: expect.stringContaining('Usage: npm run bench') });
    await expect(bench('http', '--rounds', '0')).rejects.toMatchObject({
      stderr: expect.stringContaining('Expected --rounds to be a number from 1 to 9, got 0'),
    });
  });
});

describe('RESULTS.md', () => {
  const section = (name: string, table: string) => ({ name, about: 'about', circumstances: 'circumstances', table });

  it('keeps the suites that were not run', () => {
    const order = ['targets', 'http', 'commands'];
    const first = mergeResults('', [section('commands', 'old'), section('http', 'kept')], order);
    const second = mergeResults(first, [section('commands', 'new')], order);
    expect(second).toMatch(/^# Results\n\n.+\n\n## http\n[^]+kept\n\n## commands\n\nabout\n\ncircumstances\n\nnew\n$/);
    expect(second).not.toContain('old');
    expect(mergeResults(second, [], order)).toBe(second);
    expect(mergeResults(second, [section('targets', 'met')], order)).toMatch(/\n\n## targets\n[^]+\n\n## http\n/);
  });
});

describe('targets', () => {
  const row = (contestant: string, ...perSecond: number[]): Row => {
    const rounds = perSecond.map((each) => ({ perSecond: each, p99Ms: 1_000 / each, clientCpuUs: 1 }) as Slice);
    return { scenario: 's', contestant, slice: rounds[0], rounds, ratio: [1, 1, 1], problem: undefined };
  };
  const target = { title: 't', scenario: 's', contestant: 'ours', rivals: ['slow', 'fast'], atLeast: 2 };

  it('are held against the best rival, round by round', () => {
    const rows = [row('slow', 10, 10, 10), row('ours', 300, 150, 900), row('fast', 100, 100, 300)];
    const [verdict] = judge([target], rows);
    expect(verdict).toMatchObject({ rival: 'fast', ratio: [3, 1.5, 3], met: true });
    expect(judge([{ ...target, atLeast: 3.1 }], rows)[0]!.met).toBe(false);
    expect(judge([{ ...target, measure: 'p99' }], rows)[0]!.ratio[0]).toBeCloseTo(3);
  });

  it('are neither met nor missed when nobody was measured, or the contestant is broken', () => {
    const broken: Row = { ...row('ours', 1), slice: undefined, rounds: [], problem: 'wrong' };
    for (const rows of [[], [row('ours', 1)], [broken, row('fast', 1)]]) {
      expect(judge([target], rows)[0]).toMatchObject({ met: undefined, rival: undefined });
    }
  });

  it('name scenarios and contestants that there are', () => {
    for (const { scenario, contestant, rivals } of [...targets, ...cacheTargets, ...queueTargets, ...presenceTargets]) {
      const comparison = suites
        .flatMap(({ comparisons, jobs = [] }) => [...comparisons, ...jobs])
        .find(({ scenarios }) => scenarios.some(({ title }) => title === scenario));
      expect(comparison?.contestants).toEqual(expect.arrayContaining([contestant]));
      expect(rivals.some((rival) => comparison!.contestants.includes(rival))).toBe(true);
    }
  });
});

describe('contenders', () => {
  const section = (contender: number, askedAtUs: number, grantedAtUs: number, releasedAtUs: number): Section => {
    return { contender, askedAtUs, grantedAtUs, releasedAtUs };
  };
  const seen = (sections: Section[], waitingSinceUs: number[] = []) => ({ sections, waitingSinceUs, cpuUs: 0 });
  const window = { startAtUs: 0, endsAtUs: 40_000, contenders: 2, burst: false };

  it('are compared across processes by one clock', () => {
    const one = seen([section(0, 0, 1_000, 6_000), section(0, 6_000, 13_000, 18_000)]);
    const other = seen([section(0, 0, 7_000, 12_000)]);
    const expected = { perSecond: 75, handOverP50Ms: 1, handOverP99Ms: 1, longestWaitMs: 7, fairness: 9 / 10 };
    expect(figures([one, other], window)).toMatchObject(expected);
    const burst = figures([one, other], { ...window, contenders: 3, burst: true });
    expect(burst.totalByHolds).toBeCloseTo(18 / 15);
    expect(figures([one], { ...window, contenders: 3, burst: true }).totalByHolds).toBe(Infinity);
  });

  it('count with those who never got it', () => {
    const greedy = seen([section(0, 0, 0, 5_000), section(0, 5_000, 6_000, 11_000)], [1_000]);
    expect(figures([greedy], window)).toMatchObject({ longestWaitMs: 39, fairness: 0.5 });
  });

  it('are an error when two had the lock at once', () => {
    const overlapping = [seen([section(0, 0, 1_000, 6_000)]), seen([section(0, 0, 5_999, 8_000)])];
    expect(() => figures(overlapping, window)).toThrow('two had the lock at once');
  });

  it('are held against what locks have to reach', () => {
    const [contestant, scenario] = ['Roost LockService', '50 greedy contenders in 1 process'];
    const slice = (fairness: number) => ({ fairness, handOverP99Ms: 2, commands: 2.1 }) as ContentionSlice;
    const row = { contestant, scenario, slice: slice(0.96), rounds: [0.9, 0.96, 1].map(slice) };
    const verdicts = judgeBounds(lockTargets, [{ ...row, ratio: [1, 1, 1], problem: undefined }]);
    expect(verdicts.map(({ wanted, met }) => [wanted, met])).toEqual([
      ['≥ 0.95', true],
      ['≤ 2', true],
      ['≤ 2', false],
    ]);
    expect(verdicts[0]!.measured).toEqual([0.96, 0.9, 1]);
    expect(judgeBounds(lockTargets, [])).toEqual([]);
  });
});

describe('jobs', () => {
  const sink = () => {
    const calls: BenchJob[][] = [];
    return {
      calls,
      add: (job: BenchJob) => Promise.resolve(calls.push([job])),
      addAll: (jobs: readonly BenchJob[]) => Promise.resolve(calls.push([...jobs])),
      numbers: () => calls.flat().map(({ n }) => n),
    };
  };

  it('are added once each, one by one, many at once, or at a rate', async () => {
    const [one, many, steady] = [sink(), sink(), sink()];
    await produce(one, { from: 5, count: 20, callers: 8 });
    await produce(many, { from: 0, count: 25, callers: 2, batch: 10, urgency: 'low' });
    const { startedAtUs, endedAtUs } = await produce(steady, { from: 0, count: 10, callers: 1, perSecond: 500 });
    expect(one.numbers()).toEqual(Array.from({ length: 20 }, (_, at) => 5 + at));
    expect(many.calls.map(({ length }) => length)).toEqual([10, 10, 5]);
    expect(many.calls.flat().every(({ urgency }) => urgency === 'low')).toBe(true);
    expect(steady.numbers()).toHaveLength(10);
    expect(endedAtUs - startedAtUs).toBeGreaterThan(16_000);
    expect(JSON.stringify(jobOf(1_000)).length).toBeGreaterThan(180);
    expect(JSON.stringify(jobOf(1_000, 'high')).length).toBeLessThan(220);
  });

  it('are told of from the first that is asked for, and are an error when they are lost or come twice', async () => {
    const handled = new HandledJobs(0);
    const come = handled.until(1, 3, 1_000);
    for (const n of [0, 1, 2]) await handled.handle(jobOf(n));
    const { count, firstAtUs, lastAtUs } = await come;
    expect([count, lastAtUs > firstAtUs]).toEqual([3, true]);
    await expect(handled.until(0, 4, 20)).rejects.toThrow('handled 3 of 4 jobs within 20 ms');
    await handled.handle(jobOf(2));
    await expect(handled.until(0, 4, 20)).rejects.toThrow('handled 1 jobs twice');
  });
});

describe('statistics', () => {
  it('takes the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([1, NaN, 3])]).toEqual([2, 2.5, 2]);
  });

  it('gives everyone every place', () => {
    expect([0, 1, 2].map((by) => rotated(['a', 'b', 'c'], by).join(''))).toEqual(['abc', 'bca', 'cab']);
  });
});
