import { isIPv4, isIPv6 } from 'node:net';
import { ipv4Of, networkText, partsOf, startsWith } from './ipv6.js';

/** The bucket of those whose address is not known: their socket is gone, or the transport has none. */
export const UNKNOWN_ADDRESS = 'unknown';

/** The smallest network that a provider gives to one customer (RFC 6177). */
export const IPV6_PREFIX = 64;

const LOOPBACK = [0, 0, 0, 0, 0, 0, 0, 1];

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
  const ipv4 = ipv4Of(parts);
  if (ipv4 !== undefined) return ipv4;
  return startsWith(parts, LOOPBACK, 128) ? '::1' : `${networkText(parts, prefix)}/${prefix}`;
}
