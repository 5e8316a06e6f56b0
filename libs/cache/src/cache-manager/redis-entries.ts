import { Key, outsideRequests, RedisTimeoutError, type HealthReport, type RedisConnection } from '@roost/redis';
import { Doubts } from './doubts.js';
import type { Entries } from './entries.js';

/** How many names of lost writes are remembered. */
const MAX_DOUBTS = 10_000;
const SETTLE_AFTER_MS = 500;
const LONGEST_PAUSE_MS = 32_000;
const SCAN_COUNT = 500;

/**
 * Entries in Redis, over the commands that all features of a connection share: each has a deadline, none blocks the server,
 * and none is sent while Redis is known to be lost. What could not be written or removed then is not served when Redis is
 * back: it is removed first.
 */
export class RedisEntries implements Entries {
  readonly #doubts = new Doubts(MAX_DOUBTS);
  readonly #unfollow: () => void;
  #settling = false;
  #failures = 0;
  #closed = false;
  #settleTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: RedisConnection,
    /** Gives up earlier than the connection does. */
    private readonly timeoutMs?: number,
  ) {
    this.#unfollow = connection.backend.onChange(({ to }) => to === 'redis' && this.#settleSoon(0));
  }

  async get(name: string): Promise<string | null> {
    if (!this.#readable(name)) return null;
    const text = await this.#within('GET', this.#commands.read<string | null>('GET', keyOf(name)));
    // telejson, which is next to read it, revives functions: what is not a text of Keyv in a JSON string is not for it.
    return text?.startsWith('"{') && !this.#doubts.covers(name) ? text : null;
  }

  accepts(name: string): boolean {
    if (this.connection.backend.choose('write', name) === 'redis') return true;
    this.#doubts.add(name);
    return false;
  }

  async set(name: string, text: string, unit: 'PX', ttlMs: number): Promise<void> {
    await this.#write(name, 'SET', text, unit, ttlMs);
  }

  async exists(name: string): Promise<boolean> {
    if (!this.#readable(name)) return false;
    return (await this.#within('EXISTS', this.#commands.read<number>('EXISTS', keyOf(name)))) > 0;
  }

  async unlink(name: string): Promise<boolean> {
    if (!this.accepts(name)) return false;
    return Number(await this.#write(name, 'UNLINK')) > 0;
  }

  async clear(start: string): Promise<void> {
    this.#doubts.addAll(start);
    if (this.connection.backend.choose('write', start) === 'memory') return;
    await this.#removeAll(start).finally(() => this.#settleSoon(SETTLE_AFTER_MS));
  }

  async *scan(start: string): AsyncGenerator<readonly string[]> {
    const prefix = `${this.connection.keyPrefix}:`;
    let cursor = '0';
    do {
      // Neither the prefix nor an encoded name holds what means anything in a pattern.
      const page = this.#commands.read<[string, string[]]>(
        'SCAN',
        cursor,
        'MATCH',
        `${prefix}${start}*`,
        'COUNT',
        SCAN_COUNT,
      );
      const [next, found] = await this.#within('SCAN', page);
      yield found.map((full) => full.slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
  }

  report(): HealthReport {
    const { current } = this.connection.backend;
    return { status: current === 'redis' ? 'up' : 'degraded', backend: current, inDoubt: this.#doubts.size };
  }

  close(): void {
    this.#unfollow();
    clearTimeout(this.#settleTimer);
    this.#closed = true;
  }

  get #commands() {
    return this.connection.backend.commands;
  }

  #readable(name: string): boolean {
    if (this.connection.backend.choose('read', name) === 'memory') return false;
    return !this.#doubts.covers(name);
  }

  async #write(name: string, command: string, ...args: (string | number)[]): Promise<unknown> {
    const { moment } = this.#doubts;
    try {
      const reply = await this.#within(command, this.#commands.write(command, keyOf(name), ...args));
      this.#doubts.resolve(name, moment);
      return reply;
    } catch (error) {
      this.#doubts.add(name); // also when the outcome is unknown
      this.#settleSoon(SETTLE_AFTER_MS);
      throw error;
    }
  }

  /** At once, or some time later unless that is planned already; while Redis is lost not before it is back. */
  #settleSoon(afterMs: number): void {
    if (this.#closed || this.#doubts.size === 0 || (this.#settleTimer && afterMs > 0)) return;
    clearTimeout(this.#settleTimer);
    this.#settleTimer = outsideRequests(() => setTimeout(() => void this.#settle(), afterMs).unref());
  }

  async #settle(): Promise<void> {
    this.#settleTimer = undefined;
    if (this.#settling || this.connection.backend.choose('write') === 'memory') return;
    this.#settling = true;
    try {
      for (const start of this.#doubts.starts.keys()) await this.#removeAll(start);
      const { moment } = this.#doubts;
      const names = [...this.#doubts.names.keys()];
      for (let i = 0; i < names.length; i += SCAN_COUNT) await this.#remove(names.slice(i, i + SCAN_COUNT), moment);
      this.#failures = 0;
    } catch {
      this.#failures++; // Redis is lost again, or does not allow it: what is in doubt stays so
    }
    this.#settling = false;
    this.#settleSoon(Math.min(SETTLE_AFTER_MS * 2 ** this.#failures, LONGEST_PAUSE_MS));
  }

  async #removeAll(start: string): Promise<void> {
    const { moment } = this.#doubts;
    for await (const names of this.scan(start)) await this.#remove(names, moment);
    this.#doubts.resolveAll(start, moment);
  }

  async #remove(names: readonly string[], moment: number): Promise<void> {
    const unlinks = names.map((name) => ['UNLINK', keyOf(name)] as const); // one key each: they may live in several slots
    const replies = await this.#commands.pipeline('write', unlinks);
    const failure = replies.find((reply) => reply instanceof Error);
    if (failure !== undefined) throw failure;
    for (const name of names) this.#doubts.resolve(name, moment);
  }

  async #within<T>(command: string, reply: Promise<T>): Promise<T> {
    const { timeoutMs } = this;
    if (timeoutMs === undefined) return reply;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new RedisTimeoutError(command, timeoutMs)), timeoutMs);
    });
    return Promise.race([reply, late]).finally(() => clearTimeout(timer));
  }
}

/** A name that `cacheManagerKey` made. */
function keyOf(name: string): Key {
  return new Key(name, name);
}
