/** Who has to know of changes. */
export interface ChangeListener {
  changed(name: string): void;
  /** Nothing that is known may be used any more. */
  forget(): void;
}

/** What has changed since something was asked for: whether its answer may still be kept (the in-flight token). */
export class Watch {
  #dirty: Set<string> | undefined;
  #allDirty: boolean;

  constructor(
    private readonly changes: Changes,
    private readonly watches: Set<Watch>,
  ) {
    this.#allDirty = !changes.coherent;
    watches.add(this);
  }

  /** Whether what was read since the watch began is what is there, as far as can be known. */
  trusts(name: string): boolean {
    return this.changes.coherent && !this.changes.behind && !this.#allDirty && this.#dirty?.has(name) !== true;
  }

  end(): void {
    this.watches.delete(this);
  }

  /** @internal */
  changed(name: string): void {
    (this.#dirty ??= new Set()).add(name);
  }

  /** @internal */
  forget(): void {
    this.#allDirty = true;
  }
}

/**
 * Tells of every change in the store, whoever made it. The news travels on another socket than the answers: it can come
 * before the answer that it makes void, so who asks has to watch from before the question until the answer is kept.
 */
export class Changes {
  readonly #watches = new Set<Watch>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #listeners: ChangeListener[] = [];
  #coherent = false;

  /** @param isBehind whether the store has not heard of an invalidation yet, so that what it says is not to be kept */
  constructor(private readonly isBehind: () => boolean = () => false) {}

  listen(...listeners: readonly ChangeListener[]): void {
    this.#listeners.push(...listeners);
  }

  /** Whether every change is told of. */
  get coherent(): boolean {
    return this.#coherent;
  }

  /** Whether the store has not heard of every change that was made here. */
  get behind(): boolean {
    return this.isBehind();
  }

  watch(): Watch {
    return new Watch(this, this.#watches);
  }

  /** Resolves at the next change of this name, at the latest when the time is over. Call before asking what is there. */
  next(name: string): { within(ms: number, signal?: AbortSignal): Promise<'changed' | 'timeout'>; end(): void } {
    let wake: () => void = () => undefined;
    const woken = new Promise<'changed'>((resolve) => (wake = () => resolve('changed')));
    const others = this.#waiting.get(name);
    if (others === undefined) this.#waiting.set(name, new Set([wake]));
    else others.add(wake);
    return {
      async within(ms, signal) {
        let stop!: (outcome: 'timeout') => void;
        const stopped = new Promise<'timeout'>((resolve) => (stop = resolve));
        const end = () => stop('timeout');
        const timer = setTimeout(end, ms);
        signal?.addEventListener('abort', end, { once: true });
        try {
          return await Promise.race([woken, stopped]);
        } finally {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
        }
      },
      end: () => {
        const waiting = this.#waiting.get(name);
        if (waiting?.delete(wake) && waiting.size === 0) this.#waiting.delete(name);
      },
    };
  }

  /** Takes in what changed. */
  changed(names: readonly string[]): void {
    for (const name of names) {
      for (const watch of this.#watches) watch.changed(name);
      for (const listener of this.#listeners) listener.changed(name);
      const waiting = this.#waiting.get(name);
      if (waiting !== undefined) for (const wake of waiting) wake();
    }
  }

  /** Anything may have changed. */
  flushed(): void {
    for (const watch of this.#watches) watch.forget();
    for (const listener of this.#listeners) listener.forget();
    for (const waiting of this.#waiting.values()) for (const wake of waiting) wake();
  }

  /** From now on changes are missed. */
  lost(): void {
    this.#coherent = false;
    this.flushed();
  }

  /** From now on every change is told of; what was learned before is void. */
  restored(): void {
    this.flushed();
    this.#coherent = true;
  }
}
