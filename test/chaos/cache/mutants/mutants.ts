import type { Edit } from '../../mutant.js';
import type { RunOptions } from '../run.js';

/** A rule of the cache that is broken on purpose. */
export interface Mutant extends Pick<RunOptions, 'climate'> {
  readonly name: string;
  /** What is broken, as a reader of the results wants to know it. */
  readonly what: string;
  readonly edits: readonly Edit[];
}

const edit = (file: string, find: string, put: string): Edit => ({ file, find, put });

/** What the run has to notice, each with the weather that brings it out. */
export const mutants: readonly Mutant[] = [
  {
    name: 'm1',
    what: 'a load stores its result without looking for its lease, or what is there meanwhile',
    edits: [
      edit(
        'stores/scripts.lua.js',
        "if not mine(KEYS[2]) then return 0 end\n    redis.call('DEL', KEYS[2])\n    local there",
        'local there',
      ),
      edit('stores/scripts.lua.js', "if type(there) == 'string' and there ~= ARGV[4] then return 0 end", ''),
    ],
    climate: {},
  },
  {
    name: 'm2',
    what: 'an answer is kept although news of its key have overtaken it',
    edits: [
      edit(
        'near/changes.js',
        'this.changes.coherent && !this.changes.behind && !this.#allDirty && this.#dirty?.has(name) !== true',
        'this.changes.coherent',
      ),
    ],
    climate: { 'foreign-touch': 1 },
  },
  {
    name: 'm3',
    what: 'a lost link makes a node forget nothing, and neither does one that is back',
    edits: [
      edit('near/changes.js', 'this.#coherent = false;\n        this.flushed();', 'this.#coherent = false;'),
      edit('near/changes.js', 'this.flushed();\n        this.#coherent = true;', 'this.#coherent = true;'),
    ],
    climate: { 'kill-link': 0.5, 'kill-links': 0.2 },
  },
  {
    name: 'm4',
    what: 'a load that began before an invalidation is joined after it',
    edits: [edit('loading/loads.js', '    changed(name) {', '    changed(name) {\n        return;')],
    climate: {},
  },
  {
    name: 'm5',
    what: 'a server that was started anew is trusted to have all that it said was done',
    edits: [edit('cache.link.js', "(await commands.read('GET', keys.run)) !== runId", 'false')],
    climate: { 'power-loss': 0.5 },
  },
  {
    name: 'm6',
    what: 'a tag that only the load names may have been invalidated since it began',
    edits: [edit('near/tag-versions.js', 'versions.some((version) => version >= beganUs)', 'false')],
    climate: {},
  },
  {
    name: 'm7',
    what: 'the tags of a value are compared once, not after each change of a tag',
    edits: [edit('reader.js', 'if (found.tagsSeen !== tags.state)', 'if (found.tagsSeen === -1)')],
    climate: {},
  },
  {
    name: 'm8',
    what: 'a node waits for news of what it has invalidated itself',
    edits: [edit('cache.writes.js', 'this.parts.changes.changed(entries.map(({ name }) => name));', '')],
    climate: {},
  },
  {
    name: 'm9',
    what: 'what Redis has is served although an invalidation could not be told',
    edits: [edit('cache.engine.js', 'if (pending.size === 0)', 'if (true)')],
    climate: { 'kill-writes': 1, 'foreign-touch': 1 },
  },
  {
    name: 'm10',
    what: 'a question that was asked before an invalidation is joined after it',
    edits: [edit('reader.js', 'this.#reads.delete(name);', '')],
    climate: { 'foreign-touch': 1 },
  },
];
