/** Options without those that are undefined, which would hide the defaults that they are spread over. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
