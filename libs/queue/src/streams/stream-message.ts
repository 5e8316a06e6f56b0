/** A message of a stream as its handler gets it. */
export interface StreamMessage<Data = Readonly<Record<string, string>>> {
  /** Given by Redis, increasing: `1767225600000-0`. */
  readonly id: string;
  readonly stream: string;
  readonly fields: Readonly<Record<string, string>>;
  /** What the schema made of the fields; without a schema the fields. */
  readonly data: Data;
  /**
   * How often it was handed to a handler, this time included, or was on its way to a process that ended or lost its
   * connection: more than 1 means that it may have been handled before.
   */
  readonly deliveries: number;
  /** Aborted when the time is up, when another process has taken the message over, and when this process ends. */
  readonly signal: AbortSignal;
}

/** One handing of a message to a handler. */
export class Delivery implements StreamMessage<unknown> {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor(
    readonly id: string,
    readonly stream: string,
    readonly fields: Readonly<Record<string, string>>,
    readonly data: unknown,
    readonly deliveries: number,
  ) {}

  /** Made when it is asked for: most handlers never do, and it is the dearest part of a message. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why it was aborted. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

/** A message as Redis replies it: its id and its fields in turn, or null for what was deleted meanwhile. */
export type RawEntry = readonly [id: string, fields: readonly string[] | null];

/** Its fields by name; of two with one name the last. */
export function fieldsOf(raw: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    if (name === '__proto__') Object.defineProperty(fields, name, { value: raw[i + 1]!, enumerable: true });
    else fields[name] = raw[i + 1]!;
  }
  return fields;
}
