import { Inject, Injectable, Optional, type ExecutionContext } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerOptions } from '@nestjs/throttler';
import { InvalidOptionsError, show } from '@roost/redis';
import { createHash } from 'node:crypto';
import { takesHeaders, throttledRequestOf } from './throttler.contexts.js';
import { setCompatHeaders, setModernHeaders, setRetryAfter, type Throttled } from './throttler.headers.js';
import { numberOf, RouteThrottlers, type RouteThrottler } from './throttler.metadata.js';
import { ThrottlerConfig } from './throttler.options.js';
import { ThrottlerRoutes } from './throttler.routes.js';
import type { RequestHeaders, TrustedProxies } from '../requests/trusted-proxies.js';
import type { RoostThrottlerStorage, ThrottlerHit } from './throttler.storage.js';

/** Who has no address is limited together with all others of that kind. */
const UNKNOWN_ADDRESS = 'unknown';

type Asked = Omit<Throttled, 'record'>;
type Request = Record<string, unknown>;

/**
 * The guard of @nestjs/throttler with all throttlers of a request decided in one round trip: one that refuses leaves the
 * others uncounted. Reads the same decorators and options, honours what a subclass overrides, and hands over to its parent
 * when a subclass has a `handleRequest` of its own or the storage decides one throttler at a time.
 * @example providers: [{ provide: APP_GUARD, useClass: RoostThrottlerGuard }]
 */
@Injectable()
export class RoostThrottlerGuard extends ThrottlerGuard {
  // Properties, because a constructor would lose the parameters that the parent asks to be injected.
  @Optional() @Inject(ThrottlerConfig) private readonly roostConfig: ThrottlerConfig | undefined;
  @Optional() @Inject(ThrottlerRoutes) private readonly roostRoutes: ThrottlerRoutes | undefined;
  #routeThrottlers: RouteThrottlers;

  override async onModuleInit(): Promise<void> {
    await super.onModuleInit();
    this.#routeThrottlers = new RouteThrottlers(this.throttlers, this.reflector);
    const odd = this.throttlers.map(({ name }) => name ?? '').filter((name) => !/^[\x20-\x7e]*$/.test(name));
    if (odd.length === 0) return;
    const problems = odd.map((name) => `Expected \`name\` to be printable ASCII, as headers are, got ${show(name)}`);
    throw new InvalidOptionsError('ThrottlerModule', problems);
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const storage = this.storageService as Partial<RoostThrottlerStorage>;
    const overridden = this.handleRequest !== RoostThrottlerGuard.prototype.handleRequest;
    if (overridden || typeof storage.decideMany !== 'function') return super.canActivate(context);
    if (await this.shouldSkip(context)) return true;
    const asked = await this.#ask(context);
    if (asked.length === 0) return true;
    const hits = asked.map(({ hit }) => hit);
    const records = await storage.decideMany(hits, context);
    const throttled = asked.flatMap((each, i) => (records[i] ? [{ ...each, record: records[i] }] : []));
    await this.#answer(context, throttled);
    return true;
  }

  /** What applies to this request: each throttler that is not skipped, with its key. */
  async #ask(context: ExecutionContext): Promise<Asked[]> {
    const asked: Asked[] = [];
    let req: Request | undefined;
    for (const route of this.#routeThrottlers.of(context)) {
      const { throttler } = route;
      if (route.skipped || (await this.#skips(throttler, context))) continue;
      req ??= this.getRequestResponse(context).req;
      const agents = throttler.ignoreUserAgents ?? this.commonOptions.ignoreUserAgents;
      if (Array.isArray(agents) && matchesAny(agents, userAgentOf(req))) continue;
      asked.push(await this.#askOne(context, route, req));
    }
    return asked;
  }

  /** Awaited, though its type says at once: a promise is true, whatever it resolves to. What it throws ends the request. */
  #skips(throttler: ThrottlerOptions, context: ExecutionContext): boolean | Promise<boolean> {
    const skipIf = throttler.skipIf || this.commonOptions.skipIf;
    return skipIf !== undefined && skipIf(context);
  }

  async #askOne(context: ExecutionContext, route: RouteThrottler, req: Request): Promise<Asked> {
    const { name, throttler } = route;
    const limit = await numberOf(route.limit, 'limit', name, context);
    const ttl = await numberOf(route.ttl, 'ttl', name, context);
    const blockDuration = await numberOf(route.blockDuration ?? ttl, 'blockDuration', name, context);
    const tracker = await (route.getTracker || this.commonOptions.getTracker!)(req, context);
    const key = (route.generateKey || this.commonOptions.generateKey!)(context, tracker, name);
    const hit: ThrottlerHit = { key, ttl, limit, blockDuration, throttlerName: name };
    return { hit, tracker, setHeaders: throttler.setHeaders ?? this.commonOptions.setHeaders ?? true };
  }

  async #answer(context: ExecutionContext, throttled: readonly Throttled[]): Promise<void> {
    const { compatRetryAfter = 'plain', preset = 'compat' } = this.roostConfig ?? {};
    const { res } = this.getRequestResponse(context);
    const set = (name: string, value: string | number) => this.setResponseHeader(res, name, value);
    if (preset === 'modern') setModernHeaders(throttled, set);
    let told = false;
    for (const each of throttled) {
      const { hit, tracker, record, setHeaders } = each;
      if (record.isBlocked) {
        if (!told && preset === 'compat') setRetryAfter(throttled, compatRetryAfter, set);
        told = true;
        const { ttl, limit, key } = hit;
        await this.throwThrottlingException(context, { ttl, limit, key, tracker, ...record });
      }
      if (setHeaders && preset === 'compat') setCompatHeaders(each, this.headerPrefix, set);
    }
  }

  protected override getRequestResponse(context: ExecutionContext): ReturnType<ThrottlerGuard['getRequestResponse']> {
    const { req, res } = throttledRequestOf(context);
    return { req, res: res as object };
  }

  protected override setResponseHeader(res: Record<string, unknown>, name: string, value: string | number): void {
    if (!takesHeaders(res)) return;
    const set = typeof res['header'] === 'function' ? res['header'] : res['setHeader'];
    if (typeof set === 'function') set.call(res, name, value);
  }

  /** By address, IPv6 by its network: behind the proxies of the option `proxy`, else as the HTTP adapter says. */
  protected override getTracker(req: Request): Promise<string> {
    const ip = clientOf(req, this.roostConfig?.proxy);
    return typeof ip === 'string' && ip !== '' ? super.getTracker({ ip }) : Promise.resolve(UNKNOWN_ADDRESS);
  }

  protected override generateKey(context: ExecutionContext, suffix: string, name: string): string {
    const distinction = this.roostRoutes?.distinctionOf(context);
    if (distinction === undefined) return super.generateKey(context, suffix, name);
    return createHash('sha256')
      .update(JSON.stringify([...distinction, name, suffix]))
      .digest('hex');
  }
}

function clientOf({ ip, headers, raw, socket }: Request, proxy: TrustedProxies | undefined): unknown {
  if (proxy === undefined) return ip;
  const { remoteAddress } = ((raw as Request | undefined)?.['socket'] ?? socket ?? {}) as { remoteAddress?: string };
  // A WebSocket is known by its `ip` alone.
  return proxy.clientOf(remoteAddress ?? (ip as string | undefined), (headers ?? {}) as RequestHeaders);
}

/** Tests the whole text from its start: a pattern with the flag `g` goes on where it matched before. */
function matchesAny(patterns: readonly RegExp[], text: string | undefined): boolean {
  if (text === undefined) return false;
  return patterns.some((pattern) => {
    pattern.lastIndex = 0;
    return pattern.test(text);
  });
}

function userAgentOf({ headers }: Request): string | undefined {
  const agent = (headers as Record<string, unknown> | undefined)?.['user-agent'];
  return typeof agent === 'string' ? agent : undefined;
}
