import type { Key } from '@roost/redis';
import type { Slot } from '../cache.keys.js';
import { ENDS_AT, VERSION_BYTES, writeEnds } from '../values/envelope.js';
import { CacheStore, type Begun, type Commit, type Ends, type Lease, type TagState } from './cache.store.js';

/** How a {@link MemoryCacheStore} is set up. */
export interface MemoryCacheStoreOptions {
  /** What values and their keys may take, in bytes; the longest unused go first. */
  readonly maxBytes: number;
  /** Called with the names that changed. */
  readonly onChange: (names: readonly string[]) => void;
  /** Ms since 1970 that never go back. @default the monotonic clock */
  readonly now?: () => number;
}

interface Kept {
  readonly bytes: Buffer;
  until: number;
}

interface HeldLease {
  readonly stamp: number;
  readonly token: string;
  until: number;
}

const NOTHING = Buffer.alloc(0);
/** A tag that is forgotten makes what has it stale, and nothing worse. */
const MOST_TAGS = 50_000;

/** Keeps values in this process, for this process alone; decides exactly as the scripts do. */
export class MemoryCacheStore extends CacheStore {
  readonly name = 'memory';
  readonly #values = new Map<string, Kept>();
  readonly #leases = new Map<string, HeldLease>();
  readonly #tags = new Map<string, { version: number; until: number }>();
  readonly #now: () => number;
  #bytes = 0;
  #lastUs = 0;

  constructor(private readonly options: MemoryCacheStoreOptions) {
    super();
    const origin = Date.now() - performance.now();
    this.#now = options.now ?? (() => origin + performance.now());
  }

  read({ name }: Key): Promise<Buffer | null> {
    return Promise.resolve(this.#get(name) ?? null);
  }

  readMany(entries: readonly Key[]): Promise<(Buffer | null)[]> {
    return Promise.resolve(entries.map(({ name }) => this.#get(name) ?? null));
  }

  begin({ entry, lease }: Slot, seen: Buffer, { stamp, token, leaseMs }: Lease): Promise<Begun> {
    const nowUs = this.#nowUs();
    const there = this.#get(entry.name);
    const asked = { bytes: null, leased: false, leaseLeftMs: 0, nowUs };
    if (there !== undefined && there.length > 0 && !versionOf(there).equals(seen)) {
      return Promise.resolve({ ...asked, bytes: there });
    }
    const held = this.#lease(lease.name);
    if (held !== undefined && held.stamp >= stamp) {
      return Promise.resolve({ ...asked, leaseLeftMs: held.until - this.#now() });
    }
    this.#leases.set(lease.name, { stamp, token, until: this.#now() + leaseMs });
    return Promise.resolve({ ...asked, leased: true });
  }

  commit({ entry, lease }: Slot, { token, seen, bytes, lifeMs }: Commit): Promise<boolean> {
    if (this.#lease(lease.name)?.token !== token) return Promise.resolve(false);
    this.#leases.delete(lease.name);
    if (!versionOf(this.#get(entry.name) ?? NOTHING).equals(seen)) return Promise.resolve(false);
    this.#put(entry.name, bytes, lifeMs);
    return Promise.resolve(true);
  }

  renew({ lease }: Slot, token: string, leaseMs: number): Promise<boolean> {
    const held = this.#lease(lease.name);
    if (held?.token !== token) return Promise.resolve(false);
    held.until = this.#now() + leaseMs;
    return Promise.resolve(true);
  }

  abort({ entry, lease }: Slot, token: string): Promise<void> {
    if (this.#lease(lease.name)?.token === token) {
      this.#leases.delete(lease.name);
      this.#changed(entry.name);
    }
    return Promise.resolve();
  }

  put({ entry, lease }: Slot, bytes: Buffer, lifeMs: number): Promise<void> {
    this.#leases.delete(lease.name);
    this.#put(entry.name, bytes, lifeMs);
    return Promise.resolve();
  }

  remove({ entry, lease }: Slot): Promise<boolean> {
    const loading = this.#lease(lease.name) !== undefined;
    this.#leases.delete(lease.name);
    const there = this.#get(entry.name) !== undefined;
    this.#drop(entry.name);
    if (there || loading) this.#changed(entry.name);
    return Promise.resolve(there);
  }

  expire({ entry, lease }: Slot, version: Buffer, ends: Ends): Promise<boolean> {
    const loading = this.#lease(lease.name) !== undefined;
    this.#leases.delete(lease.name);
    const there = this.#get(entry.name);
    const expired = there !== undefined && versionOf(there).equals(version);
    if (expired) writeEnds(ends).copy(there, ENDS_AT);
    if (expired || loading) this.#changed(entry.name);
    return Promise.resolve(expired);
  }

  versions(tags: readonly Key[]): Promise<(number | undefined)[]> {
    return Promise.resolve(tags.map(({ name }) => this.#tag(name)?.version));
  }

  ensure(tags: readonly Key[], lifeMs: number): Promise<readonly TagState[]> {
    return Promise.resolve(
      tags.map(({ name }) => {
        const now = this.#now();
        let tag = this.#tag(name);
        if (tag === undefined) this.#keepTag(name, (tag = { version: this.#nowUs(), until: now + lifeMs }));
        else if (tag.until - now < lifeMs / 2) tag.until = now + lifeMs;
        return { version: tag.version, leftMs: tag.until - now };
      }),
    );
  }

  bump(tags: readonly Key[], lifeMs: number): Promise<readonly number[]> {
    const versions = tags.map(({ name }) => {
      const old = this.#tag(name);
      const version = Math.max(this.#nowUs(), (old?.version ?? 0) + 1);
      this.#keepTag(name, { version, until: Math.max(this.#now() + lifeMs, old?.until ?? 0) });
      return version;
    });
    this.options.onChange(tags.map(({ name }) => name));
    return Promise.resolve(versions);
  }

  now(): Promise<number> {
    return Promise.resolve(this.#now());
  }

  /** Whole, and never the same twice: what is made later is greater. */
  #nowUs(): number {
    return (this.#lastUs = Math.max(Math.floor(this.#now() * 1_000), this.#lastUs + 1));
  }

  #get(name: string): Buffer | undefined {
    const kept = this.#values.get(name);
    if (kept === undefined) return undefined;
    this.#values.delete(name);
    if (kept.until <= this.#now()) {
      this.#bytes -= sizeOf(name, kept.bytes);
      return undefined;
    }
    this.#values.set(name, kept); // the longest unused stands first
    return kept.bytes;
  }

  #put(name: string, bytes: Buffer, lifeMs: number): void {
    this.#drop(name);
    this.#values.set(name, { bytes, until: this.#now() + lifeMs });
    this.#bytes += sizeOf(name, bytes);
    for (const [oldest] of this.#values) {
      if (this.#bytes <= this.options.maxBytes) break;
      this.#drop(oldest);
    }
    this.#changed(name);
  }

  #drop(name: string): void {
    const kept = this.#values.get(name);
    if (kept === undefined) return;
    this.#values.delete(name);
    this.#bytes -= sizeOf(name, kept.bytes);
  }

  #lease(name: string): HeldLease | undefined {
    return alive(this.#leases, name, this.#now());
  }

  #tag(name: string): { version: number; until: number } | undefined {
    return alive(this.#tags, name, this.#now());
  }

  #keepTag(name: string, tag: { version: number; until: number }): void {
    this.#tags.delete(name);
    this.#tags.set(name, tag);
    if (this.#tags.size > MOST_TAGS) for (const oldest of this.#tags.keys()) return void this.#tags.delete(oldest);
  }

  #changed(name: string): void {
    this.options.onChange([name]);
  }
}

function alive<T extends { readonly until: number }>(map: Map<string, T>, name: string, now: number): T | undefined {
  const found = map.get(name);
  if (found === undefined || found.until > now) return found;
  map.delete(name);
  return undefined;
}

function versionOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, VERSION_BYTES);
}

function sizeOf(name: string, bytes: Buffer): number {
  return 2 * name.length + bytes.length + 120;
}
