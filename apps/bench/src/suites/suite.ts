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
  /** Contestants that cannot take part. */
  readonly without?: readonly string[];
  /** The baseline when that one is missing. @default the comparison's */
  readonly baseline?: string;
  /** Contestants that need not ask Redis each time: they know some answers, or took many at once. */
  readonly knowing?: readonly string[];
}

/** Contestants that are measured by turns, under the same loads. */
export interface Comparison {
  readonly contestants: readonly string[];
  /** The contestant that the others are a multiple of. */
  readonly baseline: string;
  /** Contestants that never ask Redis. */
  readonly local?: readonly string[];
  /** Contestants that let everybody in, whatever a scenario admits. */
  readonly unlimited?: readonly string[];
  readonly scenarios: readonly Scenario[];
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  readonly comparisons: readonly Comparison[];
}
