import { AsyncLocalStorage } from 'node:async_hooks';
import { LockReentryError, LockUpgradeError } from '../lock.errors.js';
import type { Lock } from '../lock.js';
import type { LockKind } from '../stores/lock.store.js';

/** A section that runs under a lock. Work that it started and did not wait for outlives it, and finds it ended. */
interface Frame {
  readonly kind: LockKind;
  readonly writes: boolean;
  readonly lock: Lock;
  readonly outer: Frame | undefined;
  ended: boolean;
}

/** Knows which sections of this process the present code runs in: whoever asks there for what is held waits for itself. */
export class LockFrames {
  readonly #storage = new AsyncLocalStorage<Frame>();

  /** What goes wrong at a release while an error of the section is on its way, which goes first. */
  constructor(private readonly onReleaseError: (error: unknown) => void) {}

  /** The lock of the innermost section. */
  get current(): Lock | undefined {
    for (const frame of this.#living()) return frame.lock;
    return undefined;
  }

  /**
   * Runs a section under its lock, and gives the lock back. An error of the section passes unchanged, also when the
   * lock was lost or could not be given back.
   * @throws LockLostError when the section returned and the lock was lost meanwhile.
   */
  async section<Result>(
    lock: Lock,
    { kind, writes }: { kind: LockKind; writes: boolean },
    run: (lock: Lock) => Promise<Result>,
  ): Promise<Result> {
    const frame: Frame = { kind, writes, lock, outer: this.#storage.getStore(), ended: false };
    let result: Result;
    try {
      result = await this.#storage.run(frame, run, lock);
      if (lock.state === 'lost') lock.assertHeld();
    } catch (error) {
      frame.ended = true;
      await lock.release().catch(this.onReleaseError);
      throw error;
    }
    frame.ended = true;
    await lock.release();
    return result;
  }

  /**
   * The lock that this code runs under already, when it covers all keys and a second entry is wanted.
   * @throws LockReentryError when it is not wanted, or covers only some of them.
   * @throws LockUpgradeError when a reader wants to write.
   * @throws LockLostError when there is nothing left to enter.
   */
  enter(kind: LockKind, keys: readonly string[], writes: boolean, reentrant: boolean): Lock | undefined {
    if (kind === 'semaphore') return undefined; // a second permit is another permit
    for (const frame of this.#living()) {
      if (frame.kind !== kind || !keys.some((key) => frame.lock.keys.includes(key))) continue;
      if (frame.lock.state === 'released') continue; // given back by hand: to ask again is to wait for others only
      if (writes && !frame.writes) throw new LockUpgradeError(frame.lock.key);
      if (reentrant && keys.every((key) => frame.lock.keys.includes(key))) {
        frame.lock.assertHeld();
        return frame.lock;
      }
      throw new LockReentryError(keys);
    }
    return undefined;
  }

  *#living(): Generator<Frame> {
    for (let frame = this.#storage.getStore(); frame !== undefined; frame = frame.outer) if (!frame.ended) yield frame;
  }
}
