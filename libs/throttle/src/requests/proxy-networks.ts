import { show } from '@roost/redis';
import { isIP, isIPv4 } from 'node:net';
import { partsOf, startsWith, type AddressParts } from './ipv6.js';

type Range = readonly [address: AddressParts, bits: number];

/** Networks that go by a name. */
const namedNetworks = {
  loopback: ['127.0.0.0/8', '::1/128'],
  /** RFC 1918, RFC 6598 and RFC 4193. */
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
  /** https://www.cloudflare.com/ips-v4 and ips-v6, as of February 2026. */
  cloudflare: [
    '173.245.48.0/20',
    '103.21.244.0/22',
    '103.22.200.0/22',
    '103.31.4.0/22',
    '141.101.64.0/18',
    '108.162.192.0/18',
    '190.93.240.0/20',
    '188.114.96.0/20',
    '197.234.240.0/22',
    '198.41.128.0/17',
    '162.158.0.0/15',
    '104.16.0.0/13',
    '104.24.0.0/14',
    '172.64.0.0/13',
    '131.0.72.0/22',
    '2400:cb00::/32',
    '2606:4700::/32',
    '2803:f800::/32',
    '2405:b500::/32',
    '2405:8100::/32',
    '2a06:98c0::/29',
    '2c0f:f248::/32',
  ],
  /** Google Front Ends: https://cloud.google.com/load-balancing/docs/firewall-rules, seen in November 2026. */
  google: ['35.191.0.0/16', '130.211.0.0/22', '2600:2d00:1:1::/64', '2600:2d00:1:b029::/64'],
} as const;

/** A set of networks, parsed once. */
export class Networks {
  readonly #ranges: readonly Range[];

  /** Pushes a problem for every network that cannot be read. */
  constructor(written: readonly unknown[], problems: string[] = []) {
    this.#ranges = written.flatMap((each) => rangesOf(each, problems));
  }

  /** Whether an address lies in one of them; IPv4 also when it is written as IPv6. */
  contains(address: string | undefined): boolean {
    if (address === undefined || isIP(address) === 0) return false;
    const parts = partsOf(address);
    return this.#ranges.some(([range, bits]) => startsWith(parts, range, bits));
  }
}

function rangesOf(written: unknown, problems: string[]): readonly Range[] {
  if (typeof written === 'string' && Object.hasOwn(namedNetworks, written)) {
    return namedNetworks[written as 'private'].flatMap((each) => rangesOf(each, problems));
  }
  const range = typeof written === 'string' ? rangeOf(written) : undefined;
  if (range === undefined) {
    problems.push(`Expected \`proxy.cidrs\` to hold networks such as '10.0.0.0/8' or 'private', got ${show(written)}`);
  } else if (isEverybody(range)) {
    problems.push(`Expected \`proxy.cidrs\` to trust the proxies and not everybody, got ${show(written)}`);
  } else {
    return [range];
  }
  return [];
}

function rangeOf(text: string): Range | undefined {
  const [, address, suffix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (address === undefined || isIP(address) === 0) return undefined;
  const size = isIPv4(address) ? 32 : 128;
  const bits = suffix === undefined ? size : Number(suffix);
  return bits > size ? undefined : [partsOf(address), bits + 128 - size];
}

/** All of IPv6, or of IPv4. */
function isEverybody([range, bits]: Range): boolean {
  return bits === 0 || (bits <= 96 && startsWith(partsOf('0.0.0.0'), range, bits));
}
