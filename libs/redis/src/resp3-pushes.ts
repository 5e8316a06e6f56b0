/** What is told of a frame: text stays bytes, numbers and booleans stay text. */
export type RespValue = Buffer | string | null | RespValue[];

interface Aggregate {
  readonly type: string;
  readonly items: RespValue[];
  left: number;
}

const CRLF = '\r\n';

/**
 * Finds the pushes in what a server sends, however it is cut into chunks. ioredis reads them, too, and drops those that
 * it does not know (`invalidate`), so its socket is read along.
 * @see https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md
 */
export class Resp3Pushes {
  #rest: Buffer = Buffer.alloc(0);
  /** The aggregates that are not complete, from the outermost to the innermost. */
  readonly #open: Aggregate[] = [];

  constructor(private readonly onPush: (push: readonly RespValue[]) => void) {}

  /** @throws Error when this is not RESP: nothing that follows can be understood. */
  write(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = this.#read(at); end !== undefined; end = this.#read(at)) at = end;
    this.#rest = this.#rest.subarray(at);
  }

  /** Reads the element that begins there; gives where the next one begins, or undefined while bytes are missing. */
  #read(start: number): number | undefined {
    const lineEnd = this.#rest.indexOf(CRLF, start);
    if (lineEnd < 0) return undefined;
    const type = String.fromCharCode(this.#rest[start]!);
    const line = this.#rest.toString('latin1', start + 1, lineEnd);
    const next = lineEnd + CRLF.length;
    switch (type) {
      case '$': // text, verbatim text, long error
      case '=':
      case '!':
        return this.#readBytes(next, lengthOf(type, line));
      case '*': // array, set, push, map, attributes
      case '~':
      case '>':
      case '%':
      case '|':
        this.#begin(type, lengthOf(type, line));
        return next;
      case '+': // short text, error, number, double, big number, boolean
      case '-':
      case ':':
      case ',':
      case '(':
      case '#':
        this.#complete(line);
        return next;
      case '_':
        this.#complete(null);
        return next;
      default:
        throw new Error(`Protocol error: no RESP element begins with ${JSON.stringify(type)}`);
    }
  }

  #readBytes(start: number, length: number): number | undefined {
    if (length < 0) {
      this.#complete(null);
      return start;
    }
    const end = start + length;
    if (this.#rest.length < end + CRLF.length) return undefined;
    this.#complete(this.#rest.subarray(start, end));
    return end + CRLF.length;
  }

  #begin(type: string, length: number): void {
    if (length < 0) return this.#complete(null);
    const left = type === '%' || type === '|' ? 2 * length : length;
    this.#open.push({ type, items: [], left });
    if (left === 0) this.#close();
  }

  #complete(value: RespValue): void {
    const around = this.#open.at(-1);
    if (around === undefined) return; // a reply: someone else's business
    around.items.push(value);
    if (--around.left === 0) this.#close();
  }

  #close(): void {
    const { type, items } = this.#open.pop()!;
    if (type === '|') return; // attributes come before a value and are none
    if (type === '>' && this.#open.length === 0) this.onPush(items);
    else this.#complete(items);
  }
}

function lengthOf(type: string, line: string): number {
  if (!/^-?\d+$/.test(line)) throw new Error(`Protocol error: ${JSON.stringify(type + line)} has no length`);
  return Number(line);
}
