import type { Type } from '@nestjs/common';
import { type DiscoveryService, type MetadataScanner, Reflector } from '@nestjs/core';
import { InvalidOptionsError } from '@roost/redis';
import { settlementInterceptor } from '../requests/settlement.interceptor.js';
import { isHeld, type Limit } from './limit.js';
import { rateLimited, unlimited } from './rate-limit.metadata.js';
import type { RateLimitPolicies } from './rate-limit.policies.js';

type Handler = (...args: never[]) => unknown;

const NONE: readonly Limit[] = [];

// Nest's own keys, which `@nestjs/common` does not export.
const INTERCEPTORS = '__interceptors__';
const HTTP_METHOD = 'method';
const OTHER_HANDLERS = ['websockets:message_mapping', 'microservices:handler_type'];

/** Knows the limits of each route. Metadata is read once per route, at boot, and never during a request. */
export class RateLimitRoutes {
  readonly #reflector = new Reflector();
  readonly #routes = new WeakMap<Type, Map<Handler, readonly Limit[]>>();

  constructor(private readonly policies: RateLimitPolicies) {}

  /** The limits of a route; none where it has no decorator. */
  of(owner: Type, handler: Handler): readonly Limit[] {
    const known = this.#routes.get(owner)?.get(handler);
    if (known) return known;
    // A module that was loaded lazily, after the boot.
    const problems: string[] = [];
    const limits = this.#resolve(owner, handler, problems);
    if (problems.length > 0) throw new InvalidOptionsError('ThrottleModule', problems);
    return limits;
  }

  /** Reads all decorators of the application. Pushes problems. */
  discover(discovery: DiscoveryService, scanner: MetadataScanner, problems: string[]): void {
    for (const { metatype } of [...discovery.getControllers(), ...discovery.getProviders()]) {
      const prototype = (metatype as Type | null)?.prototype as Record<string, Handler> | undefined;
      if (!prototype || this.#routes.has(metatype as Type)) continue;
      for (const name of scanner.getAllMethodNames(prototype)) {
        this.#resolve(metatype as Type, prototype[name]!, problems);
      }
    }
  }

  #resolve(owner: Type, handler: Handler, problems: string[]): readonly Limit[] {
    const limits = this.#limitsOf(owner, handler, problems);
    let handlers = this.#routes.get(owner);
    if (!handlers) this.#routes.set(owner, (handlers = new Map<Handler, readonly Limit[]>()));
    handlers.set(handler, limits);
    if (limits.some(isHeld) && !answersByHttpOnly(handler)) intercept(handler);
    return limits;
  }

  /** What stands nearest decides; on one place, to skip beats to limit. */
  #limitsOf(owner: Type, handler: Handler, problems: string[]): readonly Limit[] {
    if (this.#reflector.get(unlimited, handler)) return NONE;
    const onMethod = this.#reflector.get(rateLimited, handler);
    if (onMethod) return this.policies.decorated(onMethod, owner, `${owner.name}.${handler.name}`, problems);
    if (this.#reflector.get(unlimited, owner)) return NONE;
    const onClass = this.#reflector.get(rateLimited, owner);
    return onClass ? this.policies.decorated(onClass, owner, owner.name, problems) : NONE;
  }
}

/** Where no HTTP response tells that a request has ended, its handler has to: see `settlementInterceptor`. */
function intercept(handler: Handler): void {
  const interceptors = (Reflect.getMetadata(INTERCEPTORS, handler) ?? []) as readonly unknown[];
  if (interceptors.includes(settlementInterceptor)) return;
  Reflect.defineMetadata(INTERCEPTORS, [settlementInterceptor, ...interceptors], handler);
}

function answersByHttpOnly(handler: Handler): boolean {
  return (
    Reflect.hasMetadata(HTTP_METHOD, handler) && !OTHER_HANDLERS.some((kind) => Reflect.hasMetadata(kind, handler))
  );
}
