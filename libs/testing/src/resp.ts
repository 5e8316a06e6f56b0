/** An error reply of the server, such as `NOAUTH Authentication required.` */
export class ErrorReply extends Error {
  override readonly name = 'ErrorReply';
}

/** What RESP2 can say; bulk strings are read as UTF-8. */
export type Reply = string | number | null | ErrorReply | Reply[];

/** Writes a command the way the server reads it. */
export function encodeCommand(args: readonly (string | number)[]): Buffer {
  const parts = args.map((arg) => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`);
  return Buffer.from(`*${args.length}\r\n${parts.join('')}`);
}

/** Cuts a stream of bytes into RESP2 replies. */
export class RespParser {
  #buffer = Buffer.alloc(0);

  /** Takes the next bytes and gives back every reply they complete. */
  feed(chunk: Buffer): Reply[] {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const replies: Reply[] = [];
    for (let parsed = parse(this.#buffer, 0); parsed; parsed = parse(this.#buffer, 0)) {
      replies.push(parsed.reply);
      this.#buffer = this.#buffer.subarray(parsed.end);
    }
    return replies;
  }
}

interface Parsed {
  readonly reply: Reply;
  readonly end: number;
}

/** The reply that begins at `start`, or undefined while bytes of it are missing. */
function parse(buffer: Buffer, start: number): Parsed | undefined {
  const lineEnd = buffer.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(buffer[start] ?? 0);
  const line = buffer.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  if (type === '+') return { reply: line, end };
  if (type === '-') return { reply: new ErrorReply(line), end };
  if (type === ':') return { reply: Number(line), end };
  if (type === '$') return parseBulk(buffer, end, Number(line));
  if (type === '*') return parseArray(buffer, end, Number(line));
  throw new Error(`Expected a RESP2 reply, got "${type}${line}"`);
}

function parseBulk(buffer: Buffer, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start };
  if (buffer.length < start + length + 2) return undefined;
  return { reply: buffer.toString('utf8', start, start + length), end: start + length + 2 };
}

function parseArray(buffer: Buffer, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start };
  const reply: Reply[] = [];
  let end = start;
  while (reply.length < length) {
    const item = parse(buffer, end);
    if (!item) return undefined;
    reply.push(item.reply);
    end = item.end;
  }
  return { reply, end };
}
