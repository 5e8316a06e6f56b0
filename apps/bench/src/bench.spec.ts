import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { mergeResults } from './report.js';
import { median, rotated } from './statistics.js';
import { suites } from './suites/index.js';
import { outage } from './suites/outage.js';

const run = promisify(execFile);
const bench = (...args: string[]) => run(process.execPath, ['apps/bench/dist/main.js', ...args]);

describe('npm run bench', () => {
  it('measures every contestant under every load, and finds none of them broken', async () => {
    const { stdout } = await bench('all', '--rounds', '1', '--seconds', '0.02', '--patience', '0.4');
    const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));

    for (const { name, comparisons } of suites) {
      expect(stdout).toContain(`## ${name}\n`);
      for (const { contestants, scenarios } of comparisons) {
        for (const { title, without } of scenarios) {
          const measured = rows.filter(([, scenario]) => scenario === title).map(([, , contestant]) => contestant);
          expect(measured).toEqual(contestants.filter((each) => each !== without));
        }
      }
    }
    expect(stdout).not.toContain('broken');
    expect(stdout).not.toContain('NaN');

    const answers = rows.filter(([, contestant]) => outage.contestants.includes(contestant as never));
    expect(answers.slice(-outage.contestants.length).map(([, contestant]) => contestant)).toEqual(outage.contestants);
    expect(answers.at(-outage.contestants.length)?.slice(2, 5)).toEqual([
      expect.stringMatching(/ms$/),
      expect.stringMatching(/ms$/),
      expect.stringMatching(/ms$/),
    ]);
  }, 120_000);

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
    const first = mergeResults('', [section('commands', 'old'), section('http', 'kept')]);
    const second = mergeResults(first, [section('commands', 'new')]);
    expect(second).toMatch(/^# Results\n\n.+\n\n## commands\n\nabout\n\ncircumstances\n\nnew\n\n## http\n[^]+kept\n$/);
    expect(second).not.toContain('old');
    expect(mergeResults(second, [])).toBe(second);
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
