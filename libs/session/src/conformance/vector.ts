/** One promise, for whatever runs it. */
export interface Vector<Bench> {
  readonly name: string;
  check(bench: Bench): Promise<void>;
}

/** So many calls at once. */
export function atOnce<T>(times: number, call: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => call(index)));
}
