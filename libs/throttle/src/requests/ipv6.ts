import { isIPv4 } from 'node:net';

const COLON = 0x3a;
const DOT = 0x2e;
const PERCENT = 0x25;
const ZERO = 0x30;

/** An address of either kind as the eight numbers of IPv6; IPv4 as its mapped form, `::ffff:1.2.3.4`. */
export type AddressParts = readonly number[];

/**
 * Reads what `net.isIP` says is an address, without its zone. IPv4 in IPv6 is told by its range (RFC 4291 §2.5.5.2, and
 * RFC 6052 §2.1 for NAT64), not by notation: `::ffff:102:304` and `64:ff9b::102:304` are 1.2.3.4, and `::1.2.3.4` is not.
 */
export function partsOf(address: string): AddressParts {
  if (isIPv4(address)) {
    const [high, low] = pairsOf(address);
    return [0, 0, 0, 0, 0, 0xffff, high, low];
  }
  const parts = [0, 0, 0, 0, 0, 0, 0, 0];
  let count = 0;
  let gap = 8; // where `::` stands
  let start = 0; // of the group being read
  for (let at = 0; ; at++) {
    const code = address.charCodeAt(at);
    const ends = at === address.length || code === PERCENT;
    if (code === DOT) {
      [parts[count], parts[count + 1]] = pairsOf(address.slice(start).split('%', 1)[0]!);
      count += 2;
      break;
    }
    if (ends || code === COLON) {
      if (at > start) parts[count++] = Number.parseInt(address.slice(start, at), 16);
      else if (code === COLON && at > 0) gap = count;
      start = at + 1;
    }
    if (ends) break;
  }
  if (gap < count) parts.copyWithin(8 - (count - gap), gap, count).fill(0, gap, 8 - (count - gap));
  return startsWith(parts, NAT64, 96) ? [0, 0, 0, 0, 0, 0xffff, parts[6]!, parts[7]!] : parts;
}

/** The IPv4 address that is in there, if one is. */
export function ipv4Of(parts: AddressParts): string | undefined {
  if (!startsWith(parts, MAPPED, 96)) return undefined;
  const [high, low] = [parts[6]!, parts[7]!];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** Whether two addresses agree in their first bits. */
export function startsWith(parts: AddressParts, other: AddressParts, bits: number): boolean {
  for (let index = 0; index * 16 < bits; index++) {
    if (((parts[index]! ^ other[index]!) & maskOf(bits, index)) !== 0) return false;
  }
  return true;
}

/** The first bits of an address as text, in the one form of RFC 5952. */
export function networkText(parts: AddressParts, bits: number): string {
  let text = '';
  const [from, to] = longestGap(parts, bits);
  for (let index = 0; index < 8; index++) {
    if (index === from) text += '::';
    else if (index < from || index >= to) {
      if (index > 0 && index !== to) text += ':';
      text += (parts[index]! & maskOf(bits, index)).toString(16);
    }
  }
  return text;
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff, 0, 0];
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0, 0, 0];

/** The bits of the group at this index that belong to the first `bits` of all. */
function maskOf(bits: number, index: number): number {
  return 0xffff & ~(0xffff >> Math.min(Math.max(bits - index * 16, 0), 16));
}

function pairsOf(ipv4: string): [high: number, low: number] {
  let value = 0;
  let byte = 0;
  for (let at = 0; at < ipv4.length; at++) {
    const code = ipv4.charCodeAt(at);
    if (code === DOT) [value, byte] = [value * 256 + byte, 0];
    else byte = byte * 10 + code - ZERO;
  }
  value = value * 256 + byte;
  return [value >>> 16, value & 0xffff];
}

/** The longest run of at least two zeros, the first of several: what `::` stands for. */
function longestGap(parts: AddressParts, bits: number): [from: number, to: number] {
  let longest: [number, number] = [8, 8];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && (parts[to]! & maskOf(bits, to)) === 0) to++;
    if (to - from >= 2 && to - from > longest[1] - longest[0]) longest = [from, to];
    from = to;
  }
  return longest;
}
