import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

// RFC 1918, RFC 6598 (carrier and overlay networks), RFC 4193 and link-local addresses.
const inside = new BlockList();
inside.addSubnet('10.0.0.0', 8);
inside.addSubnet('172.16.0.0', 12);
inside.addSubnet('192.168.0.0', 16);
inside.addSubnet('100.64.0.0', 10);
inside.addSubnet('169.254.0.0', 16);
inside.addSubnet('fc00::', 7, 'ipv6');
inside.addSubnet('fe80::', 10, 'ipv6');

/** Whether an address never leaves this machine. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Whether a host, by its address or name alone, is this machine. */
export function isLocal(host: string): boolean {
  return host === 'localhost' || isLoopback(host);
}

/** Whether a host, by its address or name alone, is one of this machine or of a private network. */
export function isPrivateHost(host: string): boolean {
  if (isIP(host)) return isLoopback(host) || inside.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
  // One label is a name of this machine, of Docker or of a provider's private network.
  return !host.includes('.') || /\.(localhost|local|internal|lan|svc|svc\.cluster\.local|private)$/i.test(host);
}
