/** Freezes plain data through and through; it may be handed out by reference from then on. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const each of value as unknown[]) if (typeof each === 'object' && each !== null) freeze(each);
  } else {
    for (const name in value) {
      const each: unknown = value[name];
      if (typeof each === 'object' && each !== null) freeze(each);
    }
  }
  return Object.freeze(value);
}
