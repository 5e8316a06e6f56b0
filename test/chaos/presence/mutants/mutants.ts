import type { Edit } from '../../mutant.js';
import type { RunOptions } from '../run.js';

/** A rule of presence that is broken on purpose, with the faults that bring it out. */
export interface Mutant extends Required<Pick<RunOptions, 'faults'>> {
  readonly name: string;
  /** What is broken, as a reader of the results wants to know it. */
  readonly what: string;
  readonly edits: readonly Edit[];
}

const edit = (file: string, find: string, put: string): Edit => ({ file, find, put });
const NONE = { servers: [], instances: [], sockets: [] } as const;

/** What the run has to notice. */
export const mutants: readonly Mutant[] = [
  {
    name: 'm1',
    what: 'a connection that ends is a user who leaves: no time to come back',
    edits: [edit('node/presence.node.js', 'how.onPurpose ? 0 : this.parts.config.goneAfterMs', '0')],
    faults: { ...NONE, sockets: ['reload'] },
  },
  {
    name: 'm2',
    what: 'the first device that leaves takes the user with it',
    edits: [edit('stores/topic.fragment.js', 'if left > 0 then return false end', '')],
    faults: { ...NONE, sockets: ['leave', 'close'] },
  },
  {
    name: 'm3',
    what: 'nobody cleans up after a process that died',
    edits: [edit('node/node.life.js', 'return performance.now() >= this.#sweepFrom;', 'return false;')],
    faults: { ...NONE, instances: ['kill'], sockets: ['close'] },
  },
  {
    name: 'm4',
    what: 'a cleaner takes the devices of living processes away as well',
    edits: [edit('stores/topic.lua.js', 'string.sub(value, 1, #node) == node and ', '')],
    faults: { ...NONE, instances: ['kill'] },
  },
  {
    name: 'm5',
    what: 'a Redis that has forgotten is not told again',
    edits: [edit('node/node.life.js', 'await this.#tellAgain();', '')],
    faults: { ...NONE, servers: ['redis-forget'] },
  },
  {
    name: 'm6',
    what: 'who is missing in a state that is read anew is gone at once',
    edits: [
      edit('watching/doubts.js', 'const since = performance.now() - this.parts.confirmMs;', 'const since = Infinity;'),
      edit('watching/doubts.js', 'void this.#confirm(), ms)', 'void this.#confirm(), 0)'),
    ],
    faults: { ...NONE, servers: ['redis-forget'] },
  },
  {
    name: 'm7',
    what: 'others are taken for dead as soon as Redis is back',
    edits: [
      edit(
        'node/node.life.js',
        'return this.parts.reachable() ? performance.now() + this.parts.config.leaseMs : Infinity;',
        'return 0;',
      ),
    ],
    faults: { ...NONE, servers: ['redis-kill', 'redis-freeze'], instances: ['freeze-short'] },
  },
  {
    name: 'm8',
    what: 'a change that was missed stays missed',
    edits: [
      edit(
        'watching/room-view.js',
        'this.#apply(diff);\n        else\n            void this.resync();',
        'this.#apply(diff);\n        else\n            this.#apply(diff);',
      ),
      edit(
        'watching/room-view.js',
        'const replays = this.#trusted && this.#version > 0;',
        'if (this.#version > 0)\n                return;\n            const replays = false;',
      ),
    ],
    faults: { ...NONE, servers: ['redis-cut'], sockets: ['leave', 'reload'] },
  },
  {
    name: 'm9',
    what: 'who leaves is gone at once, although Redis has just forgotten the other devices',
    edits: [edit('node/node.life.js', 'return this.#until(this.#patientUntil);', 'return 0;')],
    faults: { servers: ['redis-forget'], instances: ['freeze-short'], sockets: ['leave'] },
  },
  {
    name: 'm10',
    what: 'graces end while Redis is away, and as soon as it is back',
    edits: [
      edit('node/node.life.js', 'return this.#until(Math.max(this.#patientUntil, this.#sweepFrom));', 'return 0;'),
    ],
    faults: { servers: ['redis-kill'], instances: ['freeze-short'], sockets: ['reload', 'close'] },
  },
];
