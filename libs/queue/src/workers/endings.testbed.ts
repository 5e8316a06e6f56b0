import { eventually } from '@roost/testing';
import type { JobQueue } from '../jobs/job-queue.js';
import { JobHandler, JobWorker } from './job-handler.decorator.js';
import { JobData } from './job-params.js';

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;
const named = (values: object) => Object.defineProperties(new Error('text'), descriptorsOf(values));

/** What handlers throw that not every store can keep as it is, and the reason that is kept. */
const THROWN: Readonly<Record<string, readonly [error: unknown, reason: string]>> = {
  nul: [new Error('a\u0000b'), 'a\uFFFDb'],
  surrogate: [new Error('a\uD800b'), 'a\uFFFDb'],
  object: [named({ message: { code: 7 } }), '`[object Object]` (object)'],
  bigint: [named({ message: 7n }), '`7` (bigint)'],
  nothing: [named({ message: undefined }), '`undefined` (undefined)'],
  stack: [named({ stack: cyclic }), 'text'],
  trace: [named({ stack: 'Error: a\u0000b\uDC00' }), 'text'],
  text: ['a\u0000b', 'a\uFFFDb'],
  long: [new Error('x'.repeat(100_000)), `${'x'.repeat(10_000)}…`],
};

/** What they return that none can keep. */
const RETURNED: Readonly<Record<string, unknown>> = {
  bigint: { total: 7n },
  cyclic,
  function: () => 7,
  symbol: Symbol('odd'),
  nul: { texts: ['a\u0000b'] },
  name: { 'a\u0000b': 1 },
  surrogate: 'a\uD800b',
  stubborn: {
    toJSON() {
      throw new Error('not me');
    },
  },
};

/** What all can keep: what looks like the others in JSON, and is not. */
const KEPT: readonly unknown[] = [
  '\\u0000',
  'a\\\\u0000',
  '\\ud800',
  '\u{1F642}',
  { 'x\\u0000': ['\\\\ud800'] },
  0,
  null,
];

@JobWorker('emails')
export class OddEndings {
  readonly runs: string[] = [];

  @JobHandler('throws')
  throws(@JobData('what') what: string) {
    this.runs.push(what);
    throw THROWN[what]![0];
  }

  @JobHandler('returns')
  returns(@JobData('what') what: string) {
    this.runs.push(what);
    return RETURNED[what];
  }

  @JobHandler('keeps')
  keeps(@JobData('index') index: number) {
    return KEPT[index];
  }
}

/** Runs a handler with each end there is, and looks what is kept of it. */
export async function checkEndings(jobs: JobQueue, { runs }: OddEndings): Promise<void> {
  const thrown = Object.keys(THROWN).map((what) => ({ name: 'throws', data: { what }, options: { attempts: 1 } }));
  const returned = Object.keys(RETURNED).map((what) => ({ name: 'returns', data: { what }, options: { backoff: 1 } }));
  const kept = KEPT.map((_, index) => ({ name: 'keeps', data: { index } }));
  const added = await jobs.addAll([...thrown, ...returned, ...kept]);
  const ended = await eventually(
    async () => {
      const statuses = await Promise.all(added.map(({ id }) => jobs.status(id)));
      const states = new Set(statuses.map(({ state }) => state));
      expect([...states].filter((state) => state !== 'completed' && state !== 'failed')).toEqual([]);
      return statuses;
    },
    { within: 4_000, every: 20 },
  );
  const reasons = ended.map(({ failedReason }) => failedReason);
  expect(reasons.splice(0, thrown.length)).toEqual(Object.values(THROWN).map(([, reason]) => reason));
  const refused = expect.stringMatching(/^result is .*, which JSON does not keep/s) as string;
  expect(reasons.splice(0, returned.length)).toEqual(returned.map(() => refused));
  expect(ended.slice(-kept.length).map(({ result }) => result)).toEqual(KEPT);
  expect(ended.map(({ attemptsMade }) => attemptsMade)).toEqual(added.map(() => 1));
  expect(runs.toSorted()).toEqual([...Object.keys(THROWN), ...Object.keys(RETURNED)].toSorted());
}

function descriptorsOf(values: object): PropertyDescriptorMap {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value: value as unknown }]));
}
