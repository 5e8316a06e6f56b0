import ipaddr from 'ipaddr.js';
import { isIPv4, isIPv6 } from 'node:net';

/** The bucket of those whose address is not known: their socket is gone, or the transport has none. */
export const UNKNOWN_ADDRESS = 'unknown';

/** The smallest network that a provider gives to one customer (RFC 6177). */
export const IPV6_PREFIX = 64;

export interface ClientAddressOptions {
  /** How many bits of an IPv6 address tell clients apart, from 0 to 128. @default 64 */
  readonly prefix?: number;
}

/**
 * The address that a client is counted by: IPv4 as it is, also when it is written as IPv6 (`::ffff:1.2.3.4`) or comes
 * through NAT64 (`64:ff9b::1.2.3.4`), and IPv6 by its network. Zones are dropped. What is no address is `unknown`
 * together with all others of that kind: limited, and never an error.
 * @example clientAddress('2001:db8:1:2::3', { prefix: 48 }) // '2001:db8:1::/48'
 */
export function clientAddress(address: unknown, { prefix = IPV6_PREFIX }: ClientAddressOptions = {}): string {
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > 128) {
    throw new RangeError(`Expected \`prefix\` to be an integer from 0 to 128, got ${prefix}`);
  }
  return networkOf(address, prefix) ?? UNKNOWN_ADDRESS;
}

/** Like {@link clientAddress}, `undefined` for what is no address. */
export function networkOf(address: unknown, prefix: number): string | undefined {
  if (typeof address !== 'string') return undefined;
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return undefined;
  // How Node writes IPv4 on a socket that listens to both: the most frequent form, so without parsing.
  if (address.startsWith('::ffff:') && isIPv4(address.slice(7))) return address.slice(7);
  const parts = partsOf(address);
  const ipv4 = embeddedIPv4(parts);
  if (ipv4 !== undefined) return ipv4;
  if (parts.every((part, index) => part === (index < 7 ? 0 : 1))) return '::1';
  return `${new ipaddr.IPv6(masked(parts, prefix)).toString()}/${prefix}`;
}

/** The IPv4 address in one that is written as IPv6: told by its range (RFC 4291 §2.5.5.2, RFC 6052 §2.1), not notation. */
export function embeddedIPv4(parts: readonly number[]): string | undefined {
  const [a, b, c, d, e, f] = parts;
  const mapped = a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff;
  const nat64 = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0;
  if (!mapped && !nat64) return undefined;
  const [high, low] = [parts[6]!, parts[7]!];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/**
 * The eight numbers of an IPv6 address, without its zone. Not by `ipaddr.IPv6.parse`, which takes `::1.2.3.4` for
 * `::ffff:1.2.3.4`.
 */
export function partsOf(address: string): readonly number[] {
  const [text] = address.split('%', 1) as [string];
  const dotted = text.includes('.') ? text.slice(text.lastIndexOf(':') + 1) : undefined;
  const [a, b, c, d] = dotted?.split('.').map(Number) ?? [];
  const hex = dotted === undefined ? text : `${text.slice(0, -dotted.length)}${hexOf(a!, b!)}:${hexOf(c!, d!)}`;
  const [head = '', tail] = hex.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function hexOf(high: number, low: number): string {
  return ((high << 8) | low).toString(16);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function masked(parts: readonly number[], prefix: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(Math.max(prefix - index * 16, 0), 16);
    return part & ~(0xffff >> kept);
  });
}
