import type { HeaderValue, RawResponse } from './http-exchange.js';

/** A response as the handler, all interceptors and the framework have made it, before it is sent. */
export interface WholeResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, HeaderValue>;
  readonly body: Buffer;
}

/** What is sent instead of what was captured. */
export interface Amendment {
  /** Besides those it has. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
  /** Another status and body; those of its headers that tell of the body, or are named here, are left out. */
  readonly instead?: {
    readonly status: number;
    readonly body: Buffer | undefined;
    readonly without?: Iterable<string>;
  };
}

/** Told how a response turned out. */
export interface Captor {
  /** It is sent when the promise resolves, and as it is when it rejects. */
  whole(response: WholeResponse): Promise<Amendment | undefined>;
  /** It is sent in parts, as they come: there are no bytes to keep. */
  streamed(): void;
}

const METHODS = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

/**
 * Holds back what is written to a response until its bytes are known. This is where all ends meet, whatever adapter,
 * interceptor and serializer made them.
 */
export function capture(raw: RawResponse, captor: Captor): void {
  new Capture(raw, captor);
}

type Methods = Pick<RawResponse, (typeof METHODS)[number]>;

class Capture {
  readonly #raw: RawResponse;
  readonly #captor: Captor;
  /** What stood on the response itself: others wrap its methods, too. */
  readonly #own: readonly (PropertyDescriptor | undefined)[];
  #head: readonly unknown[] | undefined;
  /** Held: it has ended for whoever wrote it, and its bytes are on their way to the cache. */
  #state: 'open' | 'held' | 'over' = 'open';

  constructor(raw: RawResponse, captor: Captor) {
    this.#raw = raw;
    this.#captor = captor;
    this.#own = METHODS.map((name) => Object.getOwnPropertyDescriptor(raw, name));
    const before: Methods = {
      writeHead: raw.writeHead.bind(raw),
      write: raw.write.bind(raw),
      end: raw.end.bind(raw),
      flushHeaders: raw.flushHeaders.bind(raw),
    };
    const ours: Methods = {
      writeHead: (...head) => {
        if (this.#state === 'over') return before.writeHead(...head);
        if (this.#state === 'open') this.#head = head;
        return raw;
      },
      write: (...chunk) => this.#stream(() => before.write(...chunk)),
      flushHeaders: () => void this.#stream(() => before.flushHeaders()),
      end: (...last) => (this.#state === 'over' ? before.end(...last) : this.#end(last)),
    };
    for (const name of METHODS) {
      Object.defineProperty(raw, name, { value: ours[name], configurable: true, writable: true });
    }
  }

  #stream(go: () => unknown): unknown {
    if (this.#state === 'held') return false;
    if (this.#state === 'open') {
      this.#restore();
      if (this.#head !== undefined) this.#raw.writeHead(...this.#head);
      this.#captor.streamed();
    }
    return go();
  }

  #end(last: readonly unknown[]): RawResponse {
    const raw = this.#raw;
    if (this.#state === 'held') return raw;
    const { chunk, encoding, callback } = lastOf(last);
    const body = bytesOf(chunk, encoding);
    this.#applyHead();
    this.#state = 'held';
    // Frameworks that look whether they have answered must not answer once more.
    Object.defineProperty(raw, 'writableEnded', { value: true, configurable: true });
    const headers = new Map<string, HeaderValue>();
    for (const [name, value] of Object.entries(raw.getHeaders())) if (value !== undefined) headers.set(name, value);
    const send = (amendment?: Amendment) => {
      this.#restore();
      delete (raw as { writableEnded?: boolean }).writableEnded;
      const { headers: added = [], instead } = amendment ?? {};
      if (instead !== undefined) become(raw, instead);
      for (const [name, value] of added) raw.setHeader(name, value);
      raw.end(instead === undefined ? body : instead.body, callback);
    };
    this.#captor.whole({ status: raw.statusCode, headers, body }).then(send, () => send());
    return raw;
  }

  /** As `writeHead` would: its header fields replace those that were set before. */
  #applyHead(): void {
    if (this.#head === undefined) return;
    const [status, second, third] = this.#head;
    this.#raw.statusCode = status as number;
    if (typeof second === 'string') this.#raw.statusMessage = second;
    for (const [name, value] of fieldsOf(typeof second === 'string' ? third : second)) this.#raw.setHeader(name, value);
  }

  #restore(): void {
    this.#state = 'over';
    METHODS.forEach((name, at) => {
      const own = this.#own[at];
      if (own === undefined) delete (this.#raw as Partial<RawResponse>)[name];
      else Object.defineProperty(this.#raw, name, own);
    });
  }
}

function become(raw: RawResponse, { status, body, without = [] }: NonNullable<Amendment['instead']>): void {
  for (const name of Object.keys(raw.getHeaders())) if (name.startsWith('content-')) raw.removeHeader(name);
  for (const name of without) raw.removeHeader(name);
  raw.statusCode = status;
  raw.statusMessage = ''; // Node's own for this status
  if (body !== undefined) raw.setHeader('content-length', body.length);
}

/** The arguments of `end`: (callback), (chunk, callback) or (chunk, encoding, callback). */
function lastOf(last: readonly unknown[]) {
  const callback = last.find((argument) => typeof argument === 'function');
  const [chunk, encoding] = last.filter((argument) => typeof argument !== 'function');
  return { chunk, encoding, callback };
}

function bytesOf(chunk: unknown, encoding: unknown): Buffer {
  if (chunk === undefined || chunk === null) return Buffer.alloc(0);
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8');
  return Buffer.from(chunk as Uint8Array);
}

/** `writeHead` takes an object, or names and values by turns. */
function fieldsOf(fields: unknown): Iterable<readonly [string, HeaderValue]> {
  if (!Array.isArray(fields)) return Object.entries((fields ?? {}) as Record<string, HeaderValue>);
  const list = fields.flat(1) as HeaderValue[];
  const byName = new Map<string, string[]>();
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = String(list[i]).toLowerCase();
    byName.set(name, [...(byName.get(name) ?? []), String(list[i + 1])]);
  }
  return [...byName].map(([name, values]) => [name, values.length === 1 ? values[0]! : values] as const);
}
