import { Inject } from '@nestjs/common';
import type { Duration } from '@roost/redis';
import type { Lock } from '../lock.js';
import { LockService } from '../lock.service.js';

/** How a method is run at each fire. */
export interface LockedCronOptions {
  /** What the schedule is called, in all processes alike. @default `Class.method` */
  readonly name?: string;
  /** Where the pattern's clock hangs: a name of the IANA database. @default 'UTC' */
  readonly timeZone?: string;
  /** `fire`: each fire is run by one process, once. @default 'fire' */
  readonly per?: 'fire';
  /**
   * For how long at least a fire is known to be taken. The clocks of two processes may differ by half of it, and a timer
   * may be late by the other half; a fire that is later is left out. At most
   * `maxTtl`. @default '30s'
   */
  readonly atLeast?: Duration;
  /** How long the lock lives without a renewal; no less than `atLeast`. @default the module's */
  readonly ttl?: Duration;
  /** What to do when no store can say who runs it: `skip` does not run it. @default 'skip' */
  readonly onUnavailable?: 'skip';
}

/** A schedule as it was written. */
export interface WrittenCron {
  readonly pattern: string;
  readonly options: LockedCronOptions;
}

const SERVICE = Symbol('roost:cron-locks');
const CRONS = Symbol('roost:crons');

/**
 * Runs the method at the times of a cron pattern, in one process of all, once for each fire. Fires that nobody was there
 * for are not made up. What it throws is logged. A run may go on while the next fire comes: put `@WithLock` below where
 * runs must not overlap. An application without `LockModule` does not start.
 * @example
 * @LockedCron('0 3 * * *', { timeZone: 'Europe/Berlin' })
 * async closeTheDay(lock: Lock) { … }
 */
export function LockedCron(pattern: string, options: LockedCronOptions = {}) {
  return <Method extends (lock: Lock) => unknown>(
    target: object,
    _name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    // Nest resolves it with the class's own dependencies: without the module the boot fails, and says so.
    Inject(LockService)(target, SERVICE);
    const method = descriptor.value!;
    Reflect.defineMetadata(CRONS, [...writtenCronsOf(method), { pattern, options }], method);
  };
}

/** The schedules of a method. */
export function writtenCronsOf(method: object): readonly WrittenCron[] {
  return (Reflect.getMetadata(CRONS, method) ?? []) as readonly WrittenCron[];
}
