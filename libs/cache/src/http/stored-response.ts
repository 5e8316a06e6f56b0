import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Codec } from '../values/codec.js';

/** A response as it was sent, and as it is sent again. */
export interface StoredResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Strong: of these bytes and no others (RFC 9110 §8.8.1). */
  readonly etag: string;
  readonly body: Buffer;
  /** The same bytes, where they are text: Node sends text in one piece with its head, which costs half as much. */
  readonly text: string | undefined;
}

const LENGTH_BYTES = 4;

/** Four bytes with the length of the head, the head as JSON, the body as it is. */
export const responseCodec: Codec<StoredResponse> = {
  id: 16,
  name: 'http',
  // The object is frozen, and nobody who is given it writes into its body.
  share: (response) => response,
  encode({ status, headers, etag, body }) {
    const head = Buffer.from(JSON.stringify([status, etag, headers]));
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt32BE(head.length);
    return Buffer.concat([length, head, body]);
  },
  decode(bytes) {
    const end = LENGTH_BYTES + bytes.readUInt32BE(0);
    const head: unknown = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end));
    if (!isHead(head)) throw new TypeError('These bytes are no stored response.');
    const [status, etag, headers] = head;
    // A copy: what was read from a socket may be a part of something larger, which would stay with it.
    return stored(status, etag, headers, Buffer.from(bytes.subarray(end)));
  },
};

/** Made once, when the response is stored. */
export function storedResponse(status: number, headers: StoredResponse['headers'], body: Buffer): StoredResponse {
  const hash = createHash('sha256').update(body);
  for (const [name, value] of headers) {
    // The same body in another coding or of another type is another representation.
    if (name === 'content-encoding' || name === 'content-type') hash.update(`\0${name}:${value}`);
  }
  return stored(status, `"${hash.digest('base64url').slice(0, 22)}"`, headers, body);
}

function stored(...[status, etag, headers, body]: [...Head, Buffer]): StoredResponse {
  return Object.freeze({ status, etag, headers, body, text: isUtf8(body) ? body.toString() : undefined });
}

type Head = readonly [status: number, etag: string, headers: StoredResponse['headers']];

function isHead(head: unknown): head is Head {
  if (!Array.isArray(head)) return false;
  const [status, etag, headers] = head as unknown[];
  const sendable = Number.isInteger(status) && (status as number) >= 200 && (status as number) < 600;
  return sendable && isField(['etag', etag]) && Array.isArray(headers) && headers.every(isField);
}

/** What Node would refuse to send was not stored by us, and its request would never be answered. */
function isField(field: unknown): boolean {
  if (!Array.isArray(field)) return false;
  const [name, value] = field as unknown[];
  if (typeof name !== 'string' || typeof value !== 'string') return false;
  if (/^(?:transfer-encoding|content-length)$/i.test(name)) return false; // where a body ends is not for it to say
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false; // the answer to what was asked
  }
}
