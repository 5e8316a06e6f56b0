import { Inject } from '@nestjs/common';
import { InvalidOptionsError, resembling, show } from '@roost/redis';
import { lockKey, type LockKeyPart } from './lock-key.js';
import type { AcquireOptions } from './lock.options.js';
import { LockService } from './lock.service.js';

/** Makes the key from the method's arguments: a name, or parts that {@link lockKey} puts together. */
export type LockKeyOf<Args extends unknown[]> = (...args: Args) => string | readonly LockKeyPart[];

const SERVICE = Symbol('roost:locks');
const OPTIONS = Symbol('roost:lock-options');

/**
 * Runs the method under a lock. What the method throws passes unchanged; inside it, `LockService.current` is the lock.
 * An application without `LockModule`, or with options that are wrong, does not start.
 * @example
 * @WithLock((booking: Booking) => ['car', booking.carId], { ttl: '30s', wait: 0 })
 * async book(booking: Booking) { … }
 */
export function WithLock<Args extends unknown[] = never[]>(
  key: string | LockKeyOf<Args>,
  options: AcquireOptions = {},
) {
  return <Method extends (...args: Args) => Promise<unknown>>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    const at = `@WithLock on ${(typeof target === 'function' ? target : target.constructor).name}.${String(name)}`;
    if ((typeof key !== 'string' || key === '') && typeof key !== 'function') {
      throw new InvalidOptionsError(at, [`Expected a key or a function, got ${show(key)}`]);
    }
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new InvalidOptionsError(at, ['Expected a method of an instance, not a static one, a field or an accessor']);
    }
    // Nest resolves it with the class's own dependencies: without the module the boot fails, and says so.
    Inject(LockService)(target, SERVICE);
    const method = descriptor.value;
    const keyOf = (args: Args): string => {
      if (typeof key === 'string') return key;
      const made = key(...args);
      return typeof made === 'string' ? made : lockKey(...made);
    };
    async function locked(this: Record<symbol, LockService>, ...args: Args): Promise<unknown> {
      const locks = this[SERVICE];
      if (!locks) throw new InvalidOptionsError(at, ['Expected an object that Nest made: this one was given no locks']);
      return locks.using(keyOf(args), options, () => method.apply(this, args));
    }
    descriptor.value = resembling(method, locked as unknown as Method);
    Reflect.defineMetadata(OPTIONS, [...lockOptionsOf(method), options], descriptor.value);
  };
}

/** The options of each lock that a method runs under. */
export function lockOptionsOf(method: object): readonly AcquireOptions[] {
  return (Reflect.getMetadata(OPTIONS, method) ?? []) as readonly AcquireOptions[];
}
