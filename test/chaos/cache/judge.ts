import { KEYS, NAMES } from './keys.js';
import type { Call } from './messages.js';

/** A value that nobody should have been given. */
export interface Violation {
  /** `own`: older than what this node had invalidated · `quiet`: older than what all had · `final`: not the origin's · `odd` */
  readonly check: 'own' | 'quiet' | 'final' | 'foreign' | 'odd';
  readonly message: string;
}

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
  /** Redis may have lost what it said was done, until all is quiet again. */
  #lossy = false;

  now(key: string): number {
    return this.#now.get(key)!;
  }

  /** The origin changes. */
  change(keys: readonly string[]): ReadonlyMap<string, number> {
    for (const key of keys) this.#now.set(key, this.now(key) + 1);
    return new Map(keys.map((key) => [key, this.now(key)]));
  }

  /** A node was told that the caches know of it. */
  resolved(node: number, versions: ReadonlyMap<string, number>, doneAt: number): void {
    for (const [key, version] of versions) this.#changes.push({ node, key, version, doneAt });
  }

  lost(): void {
    this.#lossy = true;
  }

  /** Judges what a node answered while others write. */
  called(node: number, { key, value, source, began }: Call): void {
    if (value === undefined || this.#lossy) return;
    this.checks++;
    const told = (least: number) => `node ${node}: ${key} is ${value} from ${source}, expected at least ${least}`;
    const floor = this.#floor.get(key)!;
    if (value < floor) return this.#add('quiet', told(floor));
    const own = this.#changes.filter((change) => change.node === node && change.key === key && change.doneAt <= began);
    const least = Math.max(0, ...own.map(({ version }) => version));
    if (value < least) this.#add('own', told(least));
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
    if (value !== expected) this.#add(check, `node ${node}: ${key} is ${value} from ${source}, expected ${expected}`);
  }

  odd(message: string): void {
    this.#add('odd', message);
  }

  #add(check: Violation['check'], message: string): void {
    this.violations.push({ check, message });
  }
}

/** Which keys have one of these tags. */
export function keysOf(tags: readonly string[]): string[] {
  return NAMES.filter((key) => KEYS[key]!.tags.some((tag) => tags.includes(tag)));
}
