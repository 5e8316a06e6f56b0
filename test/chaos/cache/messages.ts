/** What a node is asked to do. */
export type Verb = 'fetch' | 'get' | 'many' | 'delete' | 'tags' | 'clear' | 'set' | 'expire' | 'status';

/** How a load behaves. */
export interface LoadManner {
  /** How long it takes after it has read the origin. */
  readonly ms: number;
  readonly fails: boolean;
}

/** From the run to a process: something for one of its nodes to do, or what a load asked the origin for. */
export type Order =
  | {
      readonly id: number;
      readonly node: number;
      readonly verb: Verb;
      /** Keys; tags for `tags`. */
      readonly names: readonly string[];
      /** The number to store. */
      readonly value?: number;
      readonly load: LoadManner;
      /** Reads this key in the same turn in which the order was carried out. */
      readonly next?: string;
    }
  | { readonly loaded: number; readonly value: number };

/** Ms of the clock that all processes of a Linux machine share (CLOCK_MONOTONIC). */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** One read, with its times by {@link clockMs}. */
export interface Call {
  readonly key: string;
  /** Undefined for a miss. */
  readonly value: number | undefined;
  /** `get` and `many` say nothing of it. */
  readonly source: string;
  readonly began: number;
  readonly ended: number;
}

/** How a node is. */
export interface NodeStatus {
  readonly coherent: boolean;
  readonly pending: number;
  readonly backend: string;
  readonly loads: number;
  readonly fenced: number;
}

/** From a process to the run. */
export type Answer =
  | {
      readonly id: number;
      readonly calls: readonly Call[];
      /** When it was carried out. */
      readonly doneAt: number;
      readonly status?: NodeStatus;
      /** An error that no caller should have seen. */
      readonly odd?: string;
    }
  | { readonly load: number; readonly key: string }
  | { readonly ready: true };
