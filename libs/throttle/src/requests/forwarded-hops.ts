import { isIP, isIPv4, isIPv6 } from 'node:net';

/** Who writes more addresses than this forges them. */
const MAX_HOPS = 32;
/** What a proxy writes about one hop (`for`, `by`, `host`, `proto`) is shorter. */
const MAX_ELEMENT_LENGTH = 512;

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The headers that proxies pass on whom they got a request from. */
export type ForwardingHeader = 'x-forwarded-for' | 'forwarded';

/**
 * The addresses in such a header, nearest first. Ends at the first that is none (`unknown`, `_hidden`, junk): what stands
 * left of it came from a stranger as far as anybody can tell. It is read from the right, because the right end is what our
 * own proxy wrote; nothing on the left can change how that is understood. The work is bounded whatever was sent.
 */
export function* forwardedHops(header: ForwardingHeader, value: string): Generator<string> {
  let end = value.length;
  for (let hop = 0; hop < MAX_HOPS && end >= 0; hop++) {
    const start = startOfElement(value, end);
    if (start === undefined) return;
    const element = value.slice(start, end);
    const node = header === 'forwarded' ? forParameter(element) : element;
    const address = node === undefined ? undefined : addressOfNode(node);
    if (address === undefined) return;
    yield address;
    end = start - 1;
  }
}

/** The address of a hop, without quotes, brackets and port. */
export function addressOfNode(node: string): string | undefined {
  let text = node.trim();
  if (text.length > 1 && text.startsWith('"') && text.endsWith('"')) text = text.slice(1, -1).trim();
  if (isIP(text) !== 0) return text;
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(text) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed : undefined;
  return dotted !== undefined && isIPv4(dotted) ? dotted : undefined;
}

/** Where the element begins that ends before `end`: after a comma that is in no quoted string. */
function startOfElement(value: string, end: number): number | undefined {
  const floor = Math.max(end - MAX_ELEMENT_LENGTH, 0);
  let quoted = false;
  for (let at = end - 1; at >= floor; at--) {
    const code = value.charCodeAt(at);
    if (code === QUOTE) quoted = !quoted || isEscaped(value, at);
    else if (code === COMMA && !quoted) return at + 1;
  }
  return floor === 0 && !quoted ? 0 : undefined;
}

function isEscaped(value: string, at: number): boolean {
  let before = at;
  while (value.charCodeAt(before - 1) === BACKSLASH) before--;
  return (at - before) % 2 === 1;
}

/** `for` of a forwarded-element (RFC 7239 §4). All pairs are read: a `;for=` may stand in the quoted `host` of another. */
function forParameter(element: string): string | undefined {
  const pair = /[ \t]*([\w!#$%&'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)[ \t]*(;|$)/y;
  let found: string | undefined;
  while (pair.lastIndex < element.length) {
    const [, name, value, separator] = pair.exec(element) ?? [];
    if (name === undefined) return undefined;
    if (name.toLowerCase() === 'for') {
      if (found !== undefined) return undefined;
      found = value;
    }
    if (separator === '') break;
  }
  return found;
}
