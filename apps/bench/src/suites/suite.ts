/** One load, which all contestants of a comparison meet. */
export interface Scenario {
  readonly title: string;
  /** What the contestants are opened for. */
  readonly work: string;
  readonly concurrency: number;
  /** HTTP requests go round so many clients; left out where operations are called in the process itself. */
  readonly clients?: number;
  /** How many requests may pass from the start on; all others are to be refused. */
  readonly admits?: number;
  /** A contestant that cannot take part. */
  readonly without?: string;
  /** The baseline when that one is missing. @default the comparison's */
  readonly baseline?: string;
}

/** Contestants that are measured by turns, under the same loads. */
export interface Comparison {
  readonly contestants: readonly string[];
  /** The contestant that the others are a multiple of. */
  readonly baseline: string;
  /** Contestants that never ask Redis. All others are broken when the server saw fewer commands than operations. */
  readonly local?: readonly string[];
  readonly scenarios: readonly Scenario[];
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  readonly comparisons: readonly Comparison[];
}
