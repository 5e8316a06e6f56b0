import { show } from '@roost/redis';
import { addressOfNode, forwardedHops, type ForwardingHeader } from './forwarded-hops.js';
import { Networks } from './proxy-networks.js';
import type { ProxyOptions, ProxyPreset } from '../throttle.options.js';

/** Headers as Node gives them: names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Which proxies are believed, and where they say who the client is. */
interface Trust {
  /** Who has to send the request; left out: anybody. */
  readonly peers?: Networks;
  /** How many hops are ours; left out: those in `peers`. */
  readonly hops?: number;
  /** The only header that is read; left out: `X-Forwarded-For`, or `Forwarded` where that is missing. */
  readonly header?: ForwardingHeader;
  /** A header that holds the client and nothing else. */
  readonly clientHeader?: string;
}

/**
 * What is documented by whom, seen in November 2026:
 * - Cloudflare sets CF-Connecting-IP whatever the client sent (developers.cloudflare.com/fundamentals/reference/http-headers);
 * - an AWS Application Load Balancer appends the client, unless `xff_header_processing.mode` was changed
 *   (docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html);
 * - Google's Application Load Balancers append the client and their own address (cloud.google.com/load-balancing/docs/https).
 * Fastly is missing: by default it passes on a Fastly-Client-IP that the client sent
 * (developer.fastly.com/reference/http/http-headers/Fastly-Client-IP).
 */
const presets: Readonly<Record<ProxyPreset, () => Trust>> = {
  cloudflare: () => ({ peers: new Networks(['cloudflare']), clientHeader: 'cf-connecting-ip' }),
  'aws-alb': () => ({ peers: new Networks(['private']), hops: 1, header: 'x-forwarded-for' }),
  gcp: () => ({ peers: new Networks(['private', 'google']), hops: 2, header: 'x-forwarded-for' }),
};

/** Finds the client behind the proxies of the option `proxy`, whatever the HTTP adapter is told about them. */
export class TrustedProxies {
  readonly #trust: Trust;

  /** Pushes what is wrong with the option. */
  constructor(options: ProxyOptions, problems: string[]) {
    this.#trust = trustOf(options, problems);
  }

  /** Whether any proxy is expected. */
  get expected(): boolean {
    return this.#trust.hops !== 0;
  }

  /** Whether both headers may be read, so that a client could add the one that its proxy does not write. */
  get readsEither(): boolean {
    return this.#trust.header === undefined && this.#trust.clientHeader === undefined;
  }

  /** Whether what this peer says of the client is believed. */
  trusts(peer: string | undefined): boolean {
    return this.expected && (this.#trust.peers?.contains(peer) ?? true);
  }

  /** The nearest address that is not one of the proxies, or the last that could be read on the way there. */
  clientOf(peer: string | undefined, headers: RequestHeaders): string | undefined {
    if (!this.trusts(peer)) return peer;
    const { peers, hops, clientHeader } = this.#trust;
    if (clientHeader !== undefined) return addressOfNode(lineOf(headers[clientHeader]) ?? '') ?? peer;
    const header = this.#headerOf(headers);
    const value = lineOf(headers[header]);
    if (value === undefined) return peer;
    let client = peer;
    let walked = 0;
    for (const hop of forwardedHops(header, value)) {
      client = hop;
      walked++;
      if (hops === undefined ? !peers!.contains(hop) : walked === hops) break;
    }
    return client;
  }

  /** `X-Forwarded-For` first: nearly all proxies write it, and pass a `Forwarded` on as the client made it up. */
  #headerOf(headers: RequestHeaders): ForwardingHeader {
    return this.#trust.header ?? (headers['x-forwarded-for'] === undefined ? 'forwarded' : 'x-forwarded-for');
  }
}

/** Several lines of a header are one list (RFC 9110 §5.3). */
function lineOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

function trustOf(options: unknown, problems: string[]): Trust {
  if (typeof options === 'string' && Object.hasOwn(presets, options)) return presets[options as ProxyPreset]();
  const { hops, cidrs, header, ...others } = (typeof options === 'object' ? (options ?? {}) : {}) as Record<
    string,
    unknown
  >;
  if ((hops === undefined) === (cidrs === undefined) || Object.keys(others).length > 0) {
    const wanted = Object.keys(presets).map((each) => `'${each}'`);
    problems.push(`Expected \`proxy\` to be { hops }, { cidrs }, ${wanted.join(' or ')}, got ${written(options)}`);
    return { hops: 0 };
  }
  if (hops !== undefined && !(Number.isInteger(hops) && (hops as number) >= 0 && (hops as number) <= 32)) {
    problems.push(`Expected \`proxy.hops\` to be an integer from 0 to 32, got ${show(hops)}`);
  }
  if (header !== undefined && header !== 'x-forwarded-for' && header !== 'forwarded') {
    problems.push(`Expected \`proxy.header\` to be 'x-forwarded-for' or 'forwarded', got ${show(header)}`);
  }
  const only = header === undefined ? {} : { header: header as ForwardingHeader };
  if (hops !== undefined) return { hops: hops as number, ...only };
  if (!Array.isArray(cidrs) || cidrs.length === 0) {
    problems.push(`Expected \`proxy.cidrs\` to be a list of at least one network, got ${written(cidrs)}`);
    return { hops: 0 };
  }
  return { peers: new Networks(cidrs, problems), ...only };
}

function written(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : show(value);
}
