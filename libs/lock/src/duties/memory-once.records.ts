import type { Lock } from '../lock.js';
import type { LockStore } from '../stores/lock.store.js';
import { OnceRecords, type OnceRecord, type StoreOutcome } from './once.records.js';

const MOST = 10_000;

/** Results in this process, for single-process use. Of more than 10,000 the oldest are forgotten. */
export class MemoryOnceRecords extends OnceRecords {
  readonly backend = 'memory';
  readonly #records = new Map<string, OnceRecord & { readonly until: number }>();

  constructor(
    private readonly locks: Pick<LockStore, 'inspect'>,
    private readonly now: () => number = () => performance.now(),
  ) {
    super();
  }

  find(id: string): Promise<OnceRecord | undefined> {
    const record = this.#records.get(id);
    if (record === undefined || record.until > this.now()) return Promise.resolve(record);
    this.#records.delete(id);
    return Promise.resolve(undefined);
  }

  async store(lock: Lock, id: string, record: OnceRecord, keepMs: number): Promise<StoreOutcome> {
    const { holders } = await this.locks.inspect('mutex', lock.key);
    if (!holders.some(({ token }) => token === lock.token)) {
      // By an earlier try, or by a later holder.
      const known = await this.find(id);
      if (known?.result === record.result && known.fingerprint === record.fingerprint) return 'stored';
      return known || holders.length > 0 ? 'foreign' : 'absent';
    }
    this.#records.delete(id); // so that the newest stands last
    this.#records.set(id, { ...record, until: this.now() + keepMs });
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= MOST) break;
      this.#records.delete(oldest);
    }
    return 'stored';
  }
}
