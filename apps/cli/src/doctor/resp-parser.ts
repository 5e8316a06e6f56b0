/** An error reply of Redis: `-WRONGPASS invalid username-password pair …`. */
export class ReplyError {
  /** The first word when it is a code, else `ERR`. */
  readonly code: string;
  constructor(readonly text: string) {
    this.code = /^[A-Z][A-Z0-9]*(?= |$)/.exec(text)?.[0] ?? 'ERR';
  }
}

export type Reply = string | number | null | ReplyError | Reply[];

/** Thrown when the bytes are no RESP: whoever answers is no Redis. */
export class NotRespError extends Error {}

const MAX_REPLY_BYTES = 1_000_000;
const MAX_DEPTH = 8;
/** Stands for "not all of it is here yet". */
const PARTIAL = Symbol('partial');

/** Turns bytes into RESP2 replies, whatever the boundaries in which they arrive. */
export class RespParser {
  #buffer = Buffer.alloc(0);
  #at = 0;

  /**
   * The replies that are complete now.
   * @throws NotRespError when the bytes cannot be a reply.
   */
  feed(chunk: Buffer): Reply[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const replies: Reply[] = [];
    for (;;) {
      this.#at = 0;
      const reply = this.#read(0);
      if (reply === PARTIAL) break;
      replies.push(reply);
      this.#buffer = this.#buffer.subarray(this.#at);
    }
    if (this.#buffer.length > MAX_REPLY_BYTES) throw new NotRespError();
    return replies;
  }

  #read(depth: number): Reply | typeof PARTIAL {
    if (this.#at >= this.#buffer.length) return PARTIAL;
    const type = String.fromCharCode(this.#buffer[this.#at]!);
    if (!'+-:$*'.includes(type) || depth > MAX_DEPTH) throw new NotRespError();
    const end = this.#buffer.indexOf('\r\n', this.#at);
    if (end < 0) return PARTIAL;
    const line = this.#buffer.toString('utf8', this.#at + 1, end);
    this.#at = end + 2;
    if (type === '+') return line;
    if (type === '-') return new ReplyError(line);
    if (!/^-?\d{1,15}$/.test(line)) throw new NotRespError();
    const number = Number(line);
    if (type === ':') return number;
    if (number < 0) return null;
    return type === '$' ? this.#bulk(number) : this.#array(number, depth);
  }

  #bulk(length: number): Reply | typeof PARTIAL {
    if (length > MAX_REPLY_BYTES) throw new NotRespError();
    const end = this.#at + length;
    if (this.#buffer.length < end + 2) return PARTIAL;
    const text = this.#buffer.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return text;
  }

  #array(length: number, depth: number): Reply | typeof PARTIAL {
    const items: Reply[] = [];
    while (items.length < length) {
      const item = this.#read(depth + 1);
      if (item === PARTIAL) return PARTIAL;
      items.push(item);
    }
    return items;
  }
}
