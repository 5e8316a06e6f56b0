import type { CacheKeys } from '../cache.keys.js';
import type { CacheStore } from '../stores/cache.store.js';
import type { TagVersion } from '../values/envelope.js';
import type { ChangeListener, Changes } from './changes.js';

/** Versions of more tags than that are asked for again. */
const MOST_KNOWN = 20_000;

/**
 * The versions of tags. A value is valid while each of its tags has the version that its load saw: equal, not older, so that
 * no clocks are compared, and a tag that was evicted and made anew makes stale whatever had it.
 *
 * Versions are remembered while every change is told of; then a check costs no command.
 */
export class TagVersions implements ChangeListener {
  readonly #known = new Map<string, number>();
  /** Until when a tag certainly lives, in monotonic ms. */
  readonly #lives = new Map<string, number>();
  readonly #names = new Map<string, string>();
  #state = 0;

  constructor(
    private readonly keys: CacheKeys,
    private readonly store: CacheStore,
    private readonly changes: Changes,
  ) {}

  /** Another one after every change of any tag. */
  get state(): number {
    return this.#state;
  }

  /** Whether all have these versions; undefined when that has to be asked. */
  match(tags: readonly TagVersion[]): boolean | undefined {
    let known = true;
    for (const { name, version } of tags) {
      const current = this.changes.coherent ? this.#known.get(this.#nameOf(name)) : undefined;
      if (current === undefined) known = false;
      else if (current !== version) return false;
    }
    return known ? true : undefined;
  }

  /** As {@link match}, asking for what is not known. */
  async matches(tags: readonly TagVersion[]): Promise<boolean> {
    const matched = this.match(tags);
    if (matched !== undefined) return matched;
    const names = tags.map(({ name }) => name);
    const versions = await this.#ask(names);
    return tags.every(({ version }, index) => versions[index] === version);
  }

  /**
   * The versions that a load sees before it begins: of everything, and of its tags. They are made where they are missing,
   * and live at least as long as the value will.
   */
  snapshot(tags: readonly string[], lifeMs: number): readonly TagVersion[] | Promise<readonly TagVersion[]> {
    const versions: TagVersion[] = [];
    const missing: string[] = [];
    for (const name of ['', ...tags]) {
      const version = this.changes.coherent ? this.#alive(name, lifeMs) : undefined;
      if (version === undefined) missing.push(name);
      else versions.push({ name, version });
    }
    if (missing.length === 0) return versions;
    return this.#ensure(missing, lifeMs).then((made) => [
      ...versions,
      ...missing.map((name, index) => ({ name, version: made[index]! })),
    ]);
  }

  /** The versions of tags that only the load itself named; undefined when one of them is not older than the load. */
  async since(tags: readonly string[], beganUs: number, lifeMs: number): Promise<readonly TagVersion[] | undefined> {
    if (tags.length === 0) return [];
    const versions = await this.#ensure(tags, lifeMs);
    if (versions.some((version) => version >= beganUs)) return undefined;
    return tags.map((name, index) => ({ name, version: versions[index]! }));
  }

  /** Resolves when nobody is served any more what has one of these tags; an empty name is everything. */
  async bump(names: readonly string[], lifeMs: number): Promise<void> {
    const tags = names.map((name) => this.#key(name));
    await this.store.bump(tags, lifeMs);
    this.changes.changed(tags.map(({ name }) => name));
  }

  changed(name: string): void {
    if (!name.startsWith(this.keys.prefixes.tags)) return;
    this.#known.delete(name);
    this.#lives.delete(name);
    this.#state++;
  }

  forget(): void {
    this.#known.clear();
    this.#lives.clear();
    this.#state++;
  }

  #alive(name: string, lifeMs: number): number | undefined {
    const wire = this.#nameOf(name);
    const until = this.#lives.get(wire);
    return until !== undefined && until - performance.now() >= lifeMs ? this.#known.get(wire) : undefined;
  }

  async #ask(names: readonly string[]): Promise<(number | undefined)[]> {
    const keys = names.map((name) => this.#key(name));
    const watch = this.changes.watch();
    try {
      const versions = await this.store.versions(keys);
      for (const [index, { name }] of keys.entries()) {
        const version = versions[index];
        if (version !== undefined && watch.trusts(name)) this.#remember(name, version);
      }
      return versions;
    } finally {
      watch.end();
    }
  }

  async #ensure(names: readonly string[], lifeMs: number): Promise<readonly number[]> {
    const keys = names.map((name) => this.#key(name));
    const watch = this.changes.watch();
    const askedAt = performance.now();
    try {
      const states = await this.store.ensure(keys, 2 * lifeMs);
      for (const [index, { name }] of keys.entries()) {
        const { version, leftMs } = states[index]!;
        if (!watch.trusts(name)) continue;
        this.#remember(name, version);
        this.#lives.set(name, askedAt + leftMs);
      }
      return states.map(({ version }) => version);
    } finally {
      watch.end();
    }
  }

  #remember(name: string, version: number): void {
    if (this.#known.size >= MOST_KNOWN) this.forget();
    this.#known.set(name, version);
  }

  #key(name: string) {
    return name === '' ? this.keys.generation : this.keys.tag(name);
  }

  /** Keys are found for tags again and again: what their names are is remembered. */
  #nameOf(tag: string): string {
    let name = this.#names.get(tag);
    if (name === undefined) {
      if (this.#names.size >= MOST_KNOWN) this.#names.clear();
      this.#names.set(tag, (name = this.#key(tag).name));
    }
    return name;
  }
}
