import type { Lock, LockState } from '../lock.js';

/**
 * A second entry into a section that holds the lock: all but the release is the outer lock's. When the outer section does
 * not wait for it, the lock is given back under its feet: for who is still inside, that is a loss.
 */
export function nestedLock(outer: Lock): Lock {
  let entered = true;
  const leave = async () => {
    const first = entered;
    entered = false;
    return first;
  };
  const stateNow = (): LockState => {
    if (!entered) return 'released';
    return outer.state === 'released' ? 'lost' : outer.state;
  };
  const own: Partial<Lock> = {
    release: leave,
    [Symbol.asyncDispose]: async () => void (await leave()),
    get state() {
      return stateNow();
    },
  };
  return new Proxy(outer, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof Lock];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
