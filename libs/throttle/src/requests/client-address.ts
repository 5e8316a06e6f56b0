import ipaddr from 'ipaddr.js';
import { isIP, isIPv4 } from 'node:net';

/** The bucket of those whose address is not known: their socket is gone, or the transport has none. */
const UNKNOWN_ADDRESS = 'unknown';

const IPV6_PREFIX_BITS = 64;

/**
 * The address that a client is counted by: IPv4 as it is, also when written as IPv6 (`::ffff:1.2.3.4`), and IPv6 by its
 * /64, the smallest network a provider gives to one customer (RFC 6177). Zones are dropped. What is no address is
 * `unknown` together with all others of that kind: limited, and never an error.
 */
export function clientAddress(address: unknown): string {
  return networkOf(address) ?? UNKNOWN_ADDRESS;
}

/** Like {@link clientAddress}, `undefined` for what is no address. */
export function networkOf(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  if (isIPv4(address)) return address;
  if (isIP(address) === 0) return undefined;
  const zone = address.indexOf('%');
  const parsed = ipaddr.IPv6.parse(zone === -1 ? address : address.slice(0, zone));
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  if (parsed.range() === 'loopback') return '::1';
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString()}/${IPV6_PREFIX_BITS}`).toString()}/64`;
}
