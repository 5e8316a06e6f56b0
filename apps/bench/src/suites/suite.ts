import type { Target } from './targets.js';

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
  /** Whether it is counted what clients send, too; in the process only. */
  readonly countsSent?: true;
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

/** Contenders of one lock, in all processes together. */
export interface ContentionScenario {
  readonly title: string;
  readonly contenders: number;
  readonly processes: number;
  /** Whether everybody wants it once, all at the same time; else again and again. */
  readonly burst?: boolean;
}

/** Callers of one cold key, in all processes together. */
export interface BurstScenario {
  readonly title: string;
  readonly callers: number;
  readonly processes: number;
}

/** Jobs that are added or handled, or both; so many in all processes together. */
export interface JobScenario {
  readonly title: string;
  /** What is timed: calls that add jobs, the handling of jobs that wait, both at once, or from adding to the start at a rate. */
  readonly measures: 'adding' | 'handling' | 'both' | 'rate';
  /** One process does both, or one adds and another handles. */
  readonly processes: number;
  /** How many jobs a process handles at a time. */
  readonly concurrency: number;
  /** How many jobs one call adds. @default one, by the method for one */
  readonly batch?: number;
}

/** Urgent jobs before a backlog of others. */
export interface FairnessScenario {
  readonly title: string;
  readonly backlog: number;
  readonly processes: number;
}

/** Users who are online, in all processes together, each of whom gives a sign of life now and then. */
export interface HeartbeatScenario {
  readonly title: string;
  readonly users: number;
  readonly everyMs: number;
  readonly processes: number;
}

/** Contestants that are measured by turns, each in as many processes as the scenario has. */
export interface TeamComparison<Load> {
  readonly about: string;
  readonly contestants: readonly string[];
  readonly baseline: string;
  readonly scenarios: readonly Load[];
}

/** A promise about one figure of one contestant, or about how often as fast as the baseline it is. */
export interface Bound {
  readonly title: string;
  readonly scenario: string;
  readonly contestant: string;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  /** A figure of the slices of that scenario; left out: how often as fast as the baseline. */
  readonly figure?: string;
}

/** What a suite holds its contestants to. */
export interface Promises {
  readonly about: string;
  /** Against others in the same rounds. */
  readonly ratios?: readonly Target[];
  readonly bounds: readonly Bound[];
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  /** Whether one of its contestants works in PostgreSQL. */
  readonly postgres?: true;
  readonly comparisons: readonly Comparison[];
  readonly contention?: TeamComparison<ContentionScenario> | undefined;
  readonly bursts?: TeamComparison<BurstScenario> | undefined;
  readonly jobs?: readonly TeamComparison<JobScenario>[] | undefined;
  readonly fairness?: TeamComparison<FairnessScenario> | undefined;
  /** `idle` is the contestant that does nothing: what the server takes for itself is taken off. */
  readonly heartbeats?: (TeamComparison<HeartbeatScenario> & { readonly idle: string }) | undefined;
  /** Told after what was measured. Those of `rate-limit` and `http` stand in `targets.ts`: they have a section of their own. */
  readonly promises?: Promises;
}
