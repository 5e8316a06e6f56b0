import { Logger } from '@nestjs/common';
import { Networks } from './proxy-networks.js';
import type { RequestHeaders, TrustedProxies } from './trusted-proxies.js';

/** After how many different clients, by their headers, in a row, it is no accident that they share an address. */
const SHARED_AFTER = 20;

/** What a request says about where it comes from. */
export interface Sighting {
  readonly request: object;
  readonly headers: RequestHeaders;
  readonly peer: string | undefined;
  /** Who it was taken for. */
  readonly client: string | undefined;
}

const problems = {
  'trusts-everybody': [
    'The HTTP adapter believes X-Forwarded-For of anybody (`trust proxy: true`): a client that makes one up passes every limit by address.',
    'Set `proxy` of ThrottleModule, such as { hops: 1 }.',
  ],
  'trusts-nobody': [
    'X-Forwarded-For came, and nobody is trusted to send it: behind a proxy all clients are counted as one.',
    'Set `proxy` of ThrottleModule, such as { hops: 1 }; { hops: 0 } when there is no proxy.',
  ],
  'fastify-hops': [
    "X-Forwarded-For came, and Fastify's `trustProxy` trusts nobody to send it, as a number never does since 5.12: all clients are counted as one.",
    'Set `proxy` of ThrottleModule, such as { hops: 1 }.',
  ],
  'unexpected-peer': [
    'X-Forwarded-For came from an address that `proxy` does not trust: behind that proxy all clients are counted as one.',
    'Add its network to `proxy.cidrs`, if it is a proxy of yours.',
  ],
  'two-headers': [
    'Both X-Forwarded-For and Forwarded came; the first is believed. A client may have added the one that the proxy does not write.',
    "Set `proxy.header` to the one that it writes: 'x-forwarded-for' or 'forwarded'.",
  ],
  'one-address': [
    'Requests with different X-Forwarded-For all come from one private address: clients are counted as one.',
    'Count the proxies in `proxy.hops`, or name all their networks in `proxy.cidrs`.',
  ],
} as const;

/** Warns, once each, of proxy settings by which limits protect nobody or hit everybody. No address is logged. */
export class ProxyWarnings {
  readonly #logger = new Logger('RateLimit');
  readonly #told = new Set<keyof typeof problems>();
  #adapterSeen = false;
  #shared: { client: string | undefined; value: unknown; times: number } = {
    client: undefined,
    value: undefined,
    times: 0,
  };

  constructor(private readonly proxies: TrustedProxies | undefined) {}

  /** Whether only requests that passed a proxy can still tell something. */
  get settled(): boolean {
    return this.#adapterSeen;
  }

  look(seen: Sighting): void {
    if (!this.#adapterSeen) this.#lookAtAdapter(seen.request);
    const value = seen.headers['x-forwarded-for'] ?? seen.headers['forwarded'];
    if (value === undefined || this.proxies?.expected === false) return;
    if (this.proxies === undefined) this.#lookAtAddress(seen);
    else if (!this.proxies.trusts(seen.peer)) this.#tell('unexpected-peer');
    else if (hasBoth(seen.headers) && this.proxies.readsEither) this.#tell('two-headers');
    if (seen.client !== seen.peer) this.#lookForShared(seen.client, value);
  }

  /** What the adapter makes of a request that has a dozen made-up proxies in front. */
  #lookAtAdapter(request: object): void {
    this.#adapterSeen = true;
    if (this.proxies !== undefined) return;
    const [peer, ...others] = Array.from({ length: 12 }, (_, index) => `192.0.2.${index + 1}`); // TEST-NET-1
    const socket = { remoteAddress: peer };
    const headers = { 'x-forwarded-for': others.join(', ') };
    const fields = { socket, connection: socket, headers };
    const probe = Object.create(request, {
      ...Object.getOwnPropertyDescriptors(fields),
      raw: { value: fields },
    }) as { ip?: unknown };
    if (probe.ip === others[0]) this.#tell('trusts-everybody');
  }

  #lookAtAddress({ request, client, peer }: Sighting): void {
    if (client !== peer) return;
    const fastifyTrusts = 'raw' in request && (request as { ips?: unknown }).ips !== undefined;
    this.#tell(fastifyTrusts ? 'fastify-hops' : 'trusts-nobody');
  }

  #lookForShared(client: string | undefined, value: unknown): void {
    const shared = this.#shared;
    if (client !== shared.client) this.#shared = { client, value, times: 1 };
    else if (value !== shared.value) {
      shared.value = value;
      if (++shared.times === SHARED_AFTER && isPrivate(client)) this.#tell('one-address');
    }
  }

  #tell(problem: keyof typeof problems): void {
    if (this.#told.has(problem)) return;
    this.#told.add(problem);
    const [what, fix] = problems[problem];
    this.#logger.warn(`${what} ${fix}`, { event: 'throttle.proxy', problem, fix });
  }
}

function hasBoth(headers: RequestHeaders): boolean {
  return headers['x-forwarded-for'] !== undefined && headers['forwarded'] !== undefined;
}

function isPrivate(address: string | undefined): boolean {
  return new Networks(['private', 'loopback']).contains(address);
}
