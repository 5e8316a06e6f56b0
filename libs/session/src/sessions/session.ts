import type { SessionData } from './session.fields.js';
import type { SessionRecord } from './session.record.js';

/**
 * One session, as its holder sees it. Change `data` and `save` it: what others have changed meanwhile stays. The id is
 * shown by no JSON and no inspection.
 */
export class Session<Data extends object = SessionData> {
  #id: string;
  /** What is stored: JSON values by name. */
  readonly data: Data;

  /** @internal Made by `Sessions`. */
  constructor(
    id: string,
    /** @internal */
    readonly record: SessionRecord,
  ) {
    this.#id = id;
    this.data = record.data as Data;
    Object.defineProperty(this, 'record', { enumerable: false });
  }

  /** What the cookie holds: 256 random bits. A secret. */
  get id(): string {
    return this.#id;
  }

  /** Names the session where its id would be a secret too many: the same through every rotation. */
  get handle(): string {
    return this.record.stored.handle;
  }

  /** Who is signed in; only `rotate` changes it. */
  get user(): string | undefined {
    return this.record.stored.user;
  }

  /** `copy`: Redis is lost, and this is what it last said. Nothing can be saved. */
  get source(): 'redis' | 'memory' | 'copy' {
    return this.record.source;
  }

  get startedAt(): Date {
    return new Date(this.record.stored.startedAtMs);
  }

  /** When it ends whatever happens. */
  get endsAt(): Date {
    return new Date(this.record.stored.endsAtMs);
  }

  /** In how many ms it ends without another request: what the cookie's `maxAge` may be. */
  get leftMs(): number {
    return this.record.stored.leftMs;
  }

  /** @internal After a rotation. */
  moveTo(id: string): void {
    this.#id = id;
  }
}
