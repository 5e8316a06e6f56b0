import type { CacheKeys } from '../cache.keys.js';
import type { ChangeListener } from '../near/changes.js';
import type { Held } from '../values/held.js';

const MOST_BYTES = 4 * 1_024 * 1_024;

/**
 * What was loaded while Redis is away, for a moment: the origin would else be asked by every request. What other processes
 * change meanwhile is not known here, so that moment bounds how old it can be.
 */
export class OutageValues implements ChangeListener {
  readonly #values = new Map<string, { readonly held: Held; readonly until: number }>();
  #bytes = 0;

  constructor(
    private readonly lifeMs: number,
    private readonly keys: Pick<CacheKeys, 'generation' | 'prefixes' | 'tag'>,
  ) {}

  get(name: string): Held | undefined {
    const found = this.#values.get(name);
    if (found === undefined) return undefined;
    if (found.until > performance.now()) return found.held;
    this.#drop(name);
    return undefined;
  }

  put(name: string, held: Held): void {
    if (this.lifeMs === 0) return;
    this.#drop(name);
    const life = Math.min(this.lifeMs, held.freshUntil - held.loadedAt);
    this.#values.set(name, { held, until: performance.now() + life });
    this.#bytes += costOf(name, held);
    for (const [oldest] of this.#values) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#drop(oldest);
    }
  }

  /** Forgets what has one of these tags. */
  dropTagged(tags: readonly string[]): void {
    this.#dropWhere((tag) => tags.includes(tag));
  }

  /** Redis may be lost for some, or in one direction only, and still tell of what others change. */
  changed(name: string): void {
    const { keys } = this;
    if (name === keys.generation.name) this.forget();
    else if (name.startsWith(keys.prefixes.tags)) this.#dropWhere((each) => keys.tag(each).name === name);
    else this.#drop(name);
  }

  #dropWhere(condition: (tag: string) => boolean): void {
    for (const [name, { held }] of this.#values)
      if (held.tags.some((tag) => tag.name !== '' && condition(tag.name))) this.#drop(name);
  }

  #drop(name: string): void {
    const found = this.#values.get(name);
    if (found === undefined) return;
    this.#values.delete(name);
    this.#bytes -= costOf(name, found.held);
  }

  forget(): void {
    this.#values.clear();
    this.#bytes = 0;
  }
}

function costOf(name: string, held: Held): number {
  return 200 + 2 * name.length + held.bytes;
}
