import { KEYS, NAMES } from './keys.js';
import { type Call, clockMs } from './messages.js';

/** A value that nobody should have been given. */
export interface Violation {
  /** `own`: older than what this node had invalidated · `quiet`: older than what all had · `final`: not the origin's · `odd` */
  readonly check: 'own' | 'quiet' | 'final' | 'foreign' | 'odd';
  readonly message: string;
  /** What happened to the key before, the last last. */
  readonly story: readonly string[];
}

const LONGEST_STORY = 40;

/** An invalidation that a node was asked for. */
interface Change {
  readonly node: number;
  readonly key: string;
  readonly version: number;
  readonly doneAt: number;
}

/** The origin, and what of it may still be served. */
export class Judge {
  readonly violations: Violation[] = [];
  checks = 0;
  readonly #now = new Map(NAMES.map((key) => [key, 0]));
  /** What all nodes have to know of. */
  readonly #floor = new Map(NAMES.map((key) => [key, 0]));
  /** Since then, by node. */
  #changes: Change[] = [];
  /** What happened since all was quiet last: to a key, or to all. */
  #story: { readonly at: number; readonly key: string | undefined; readonly text: string }[] = [];
  /** Redis may have lost what it said was done, until all is quiet again. */
  #lossy = false;

  now(key: string): number {
    return this.#now.get(key)!;
  }

  /** Remembers what explains a violation. */
  note(text: string, key?: string, at = clockMs()): void {
    this.#story.push({ at, key, text });
  }

  /** The origin changes. */
  change(keys: readonly string[], why: string): ReadonlyMap<string, number> {
    for (const key of keys) {
      this.#now.set(key, this.now(key) + 1);
      this.note(`${this.now(key)} in the origin: ${why}`, key);
    }
    return new Map(keys.map((key) => [key, this.now(key)]));
  }

  /** A node was told that the caches know of it. */
  resolved(node: number, versions: ReadonlyMap<string, number>, doneAt: number): void {
    for (const [key, version] of versions) {
      this.#changes.push({ node, key, version, doneAt });
      this.note(`node ${node}: invalidated up to ${version}`, key, doneAt);
    }
  }

  /** A new round: what came before explains nothing any more. */
  begin(): void {
    this.#story = [];
  }

  lost(): void {
    this.#lossy = true;
  }

  /** Judges what a node answered while others write. */
  called(node: number, { key, value, source, began, ended }: Call): void {
    this.note(
      `node ${node}: ${value ?? 'nothing'} from ${source}, asked for ${(ended - began).toFixed(1)} ms before`,
      key,
      ended,
    );
    if (value === undefined || this.#lossy) return;
    this.checks++;
    const told = (least: number) => `node ${node}: ${key} is ${value} from ${source}, expected at least ${least}`;
    const floor = this.#floor.get(key)!;
    if (value < floor) return this.#add('quiet', told(floor), key);
    const own = this.#changes.filter((change) => change.node === node && change.key === key && change.doneAt <= began);
    const least = Math.max(0, ...own.map(({ version }) => version));
    if (value < least) this.#add('own', told(least), key);
  }

  /** Everybody has heard of everything. */
  quiet(): void {
    for (const key of NAMES) this.#floor.set(key, this.now(key));
    this.#changes = [];
    this.#lossy = false;
  }

  /** Judges what a node answers when all is quiet. */
  settled(node: number, { key, value, source }: Call, check: 'final' | 'foreign'): void {
    if (value === undefined) return;
    this.checks++;
    const expected = this.now(key);
    if (value === expected) return;
    this.#add(check, `node ${node}: ${key} is ${value} from ${source}, expected ${expected}`, key);
  }

  odd(message: string): void {
    this.#add('odd', message);
  }

  #add(check: Violation['check'], message: string, key?: string): void {
    const known = this.#story.filter((line) => line.key === undefined || line.key === key);
    const last = known.toSorted((a, b) => a.at - b.at).slice(-LONGEST_STORY);
    this.violations.push({
      check,
      message,
      story: last.map(({ at, text }) => `${(at - clockMs()).toFixed(1)} ms ${text}`),
    });
  }
}

/** Which keys have one of these tags. */
export function keysOf(tags: readonly string[]): string[] {
  return NAMES.filter((key) => KEYS[key]!.tags.some((tag) => tags.includes(tag)));
}
