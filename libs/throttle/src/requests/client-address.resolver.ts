import { Injectable } from '@nestjs/common';
import { networkOf, UNKNOWN_ADDRESS } from './client-address.js';
import { ProxyWarnings } from './proxy.warnings.js';
import type { RequestHeaders } from './trusted-proxies.js';
import { ThrottleConfig } from '../throttle.config.js';

/** What is read of a request of Express, Fastify or Node (a WebSocket's upgrade too); all of it may be missing. */
interface AddressedRequest {
  readonly ip?: unknown;
  readonly headers?: RequestHeaders;
  readonly socket?: { readonly remoteAddress?: string | undefined } | null;
  readonly raw?: AddressedRequest;
}

const NO_HEADERS: RequestHeaders = {};

/**
 * Says who sent a request: behind the proxies of the option `proxy`, else as the HTTP adapter says.
 * @example
 * addresses.of(request) // '1.2.3.4', '2001:db8:1:2::/64' or 'unknown'
 */
@Injectable()
export class ClientAddresses {
  readonly #warnings: ProxyWarnings;

  constructor(private readonly config: ThrottleConfig) {
    this.#warnings = new ProxyWarnings(config.proxy);
  }

  /** What the sender is counted by: see `clientAddress`. */
  of(request: unknown): string {
    return networkOf(this.#find(request), this.config.ipv6Prefix) ?? UNKNOWN_ADDRESS;
  }

  /** The address itself, of which `of` is the network; `unknown` when there is none. */
  exactly(request: unknown): string {
    return this.#find(request) ?? UNKNOWN_ADDRESS;
  }

  #find(request: unknown): string | undefined {
    if (typeof request !== 'object' || request === null) return undefined;
    const addressed = request as AddressedRequest;
    const headers = addressed.headers ?? addressed.raw?.headers ?? NO_HEADERS;
    const { proxy } = this.config;
    const proxied = headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
    if (proxy === undefined && !proxied && this.#warnings.settled) return asTold(addressed);
    const peer = peerOf(addressed);
    const client = proxy === undefined ? asTold(addressed) : proxy.clientOf(peer, headers);
    this.#warnings.look({ request, headers, peer, client });
    return client;
  }
}

function asTold(request: AddressedRequest): string | undefined {
  const ip = request.ip ?? peerOf(request);
  return typeof ip === 'string' ? ip : undefined;
}

function peerOf(request: AddressedRequest): string | undefined {
  return (request.raw ?? request).socket?.remoteAddress;
}
