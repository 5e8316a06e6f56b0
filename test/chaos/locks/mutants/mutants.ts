import { type FaultName, type Lane, laneOf } from '../nemesis/plan.js';
import { Random } from '../../random.js';
import type { Edit } from '../../mutant.js';
import type { Mutant } from './mutant.js';

const SECONDS = 25;

/** Lanes of these faults, each lasting between so many ms. */
function lanes(...wanted: readonly (readonly [names: readonly FaultName[], least: number, most: number])[]) {
  return (seed: number, workers: readonly string[]): Lane[] => {
    const random = new Random(seed);
    return wanted.map(([names, least, most]) => laneOf(random, SECONDS, workers, { names, lasts: [least, most] }));
  };
}

const edit = (file: string, find: string, put: string): Edit => ({ file, find, put });

/**
 * What the run has to notice, each with the plan that brings it out. Those of research that are missing here concern what
 * was left for later: hand-over to Postgres (m9 to m11) and session locks (m13).
 */
export const mutants: readonly Mutant[] = [
  {
    name: 'm1',
    what: 'a release or withdrawal does not look whose lock it is',
    edits: [
      edit('stores/lua/release.lua.js', 'if not value or isOf(value, mine) then', 'if true then'),
      edit('stores/lua/release.lua.js', 'local mine = isOf(value, ARGV[2])', 'local mine = value'),
    ],
    workloads: ['mutexes'],
    lanes: lanes([['stop'], 1_200, 2_000], [['drop-replies', 'blackhole', 'redis-freeze'], 600, 1_500]),
  },
  {
    name: 'm2',
    what: 'the deadline counts from the answer instead of the question',
    edits: [
      edit(
        'holding/held-lock.js',
        'this.#asked = asked;\n        this.#usableMs',
        'this.#asked = new asked.constructor(around.clock);\n        this.#usableMs',
      ),
    ],
    workloads: ['mutexes'],
    commandTimeoutMs: 2_000,
    lock: { safetyMarginMs: 0 },
    lanes: lanes([['long-delay'], 4_000, 6_000], [['long-delay'], 4_000, 6_000]),
  },
  {
    name: 'm3',
    what: 'no timer tells a holder that its time is over',
    edits: [edit('holding/lock.keeper.js', 'if (!lock.held) {', 'if (false) {')],
    workloads: ['mutexes'],
    lanes: lanes([['redis-freeze'], 1_000, 1_500]),
  },
  {
    name: 'm4',
    what: 'no quarantine after a loss of memory',
    edits: [edit('stores/lua/fragments.js', 'if lost and tonumber(lasts) > 0 then', 'if false then')],
    workloads: ['mutexes'],
    lanes: lanes([['failover'], 600, 1_200]),
  },
  {
    name: 'm5',
    what: 'the quarantine does not outlast an isolated primary',
    edits: [edit('lock.config.js', '(1 + this.driftRatio)) + this.splitBrainMs', '(1 + this.driftRatio))')],
    workloads: ['mutexes'],
    lock: { splitBrain: 3_000 },
    minReplicas: true,
    lanes: lanes([['split-brain'], 3_500, 4_500]),
  },
  {
    name: 'm5b',
    what: 'a lock is extended while an isolated primary may still grant it',
    edits: [edit('stores/lua/extend.lua.js', 'local early = grace and unsettled()', 'local early = false')],
    workloads: ['mutexes', 'steady'],
    lock: { splitBrain: 3_000 },
    minReplicas: true,
    lanes: lanes([['split-brain'], 3_500, 4_500]),
  },
  {
    name: 'm6',
    what: 'a renewal or reclaim is accepted after the deadline',
    edits: [
      edit('holding/lock.keeper.js', 'const held = lock.held;', 'const held = true;'),
      edit('holding/held-lock.js', 'if (!this.held)\n            return;\n        if (outcome', 'if (outcome'),
    ],
    workloads: ['steady'],
    commandTimeoutMs: 2_000,
    lanes: lanes([['flush-behind'], 700, 900], [['flush-behind'], 700, 900], [['flush-behind'], 700, 900]),
  },
  {
    name: 'm7a',
    what: 'the fence refuses an equal token of the same holder',
    edits: [
      edit(
        'fencing/fence.sql.js',
        'WHERE f.token < excluded.token OR f.token = excluded.token AND f.holder = excluded.holder;',
        'WHERE f.token < excluded.token;',
      ),
    ],
    workloads: ['counter'],
    lanes: lanes([['stop'], 1_200, 2_000]),
  },
  {
    name: 'm7b',
    what: 'tokens have no epoch: a Redis that lost its memory counts from one again',
    edits: [
      edit(
        'stores/lua/fragments.js',
        'local second, first = clock[1] - ${sinceMs / 1_000}, math.floor(clock[2] / 1000) * ${2 ** bitsPerMs}',
        'local second, first = 1, 0',
      ),
      edit('stores/lua/fragments.js', 'if behind then epoch, count = leastEpoch, leastCount end', ''),
    ],
    workloads: ['mutexes', 'counter'],
    lanes: lanes([['flushall', 'redis-kill', 'failover'], 500, 1_000]),
  },
  {
    name: 'm8',
    what: 'the fence is the last statement of the transaction, not the first',
    edits: [
      edit(
        'fencing/fenced-transaction.js',
        'await sendFences(session, stored);\n        fenced = true;\n        const result = await run(tx);',
        'const result = await run(tx);\n        await sendFences(session, stored);\n        fenced = true;',
      ),
    ],
    workloads: ['set'],
    lanes: lanes([['slow-commit'], 5_000, 7_000]),
  },
  {
    name: 'm12',
    what: 'waiters are alive by the clock of their process',
    edits: [
      edit(
        'stores/redis-mutexes.js',
        'wait: wait ? 1 : 0, waiterTtlMs, owner };',
        'wait: wait ? 1 : 0, waiterTtlMs: `${waiterTtlMs}|${Date.now()}`, owner };',
      ),
      edit(
        'stores/lua/fragments.js',
        "call('ZADD', alive, now + waiterTtlMs, holder)",
        `local ttl, at = string.match(waiterTtlMs .. string.format('|%.0f', now), '^(%d+)|(%d+)')
  call('ZADD', alive, at + ttl, holder)
  waiterTtlMs = ttl`,
      ),
    ],
    workloads: ['queue'],
    lanes: lanes([['clock-back'], 4_000, 6_000]),
  },
  {
    name: 'm14',
    what: 'who waits asks again only when it is told to',
    edits: [
      edit('waiting/turn.js', 'const timer = setTimeout(resume, ms);', 'const timer = setTimeout(resume, 2 ** 30);'),
    ],
    workloads: ['queue', 'mutexes'],
    lanes: lanes([['kill'], 1_000, 2_000], [['kill-subscribers'], 300, 600]),
  },
];
