import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type {
  Resolvable,
  ThrottlerGenerateKeyFunction,
  ThrottlerGetTrackerFunction,
  ThrottlerOptions,
} from '@nestjs/throttler';

/** The metadata keys of `@Throttle` and `@SkipThrottle`, which @nestjs/throttler does not export. A test compares them. */
export const THROTTLER_METADATA = {
  limit: 'THROTTLER:LIMIT',
  ttl: 'THROTTLER:TTL',
  blockDuration: 'THROTTLER:BLOCK_DURATION',
  tracker: 'THROTTLER:TRACKER',
  keyGenerator: 'THROTTLER:KEY_GENERATOR',
  skip: 'THROTTLER:SKIP',
  options: 'THROTTLER:MODULE_OPTIONS',
} as const;

/** One throttler as it applies to a route: what the route or its class says, else what the module says. */
export interface RouteThrottler {
  readonly throttler: ThrottlerOptions;
  readonly name: string;
  readonly skipped: boolean;
  readonly limit: Resolvable<number>;
  readonly ttl: Resolvable<number>;
  /** Undefined is the resolved `ttl`. */
  readonly blockDuration: Resolvable<number> | undefined;
  readonly getTracker: ThrottlerGetTrackerFunction | undefined;
  readonly generateKey: ThrottlerGenerateKeyFunction | undefined;
}

type Handler = ReturnType<ExecutionContext['getHandler']>;
type Class = ReturnType<ExecutionContext['getClass']>;

/** Reads what decorators say of a route once, not at each request. */
export class RouteThrottlers {
  readonly #known = new WeakMap<Handler, WeakMap<Class, readonly RouteThrottler[]>>();

  constructor(
    private readonly throttlers: readonly ThrottlerOptions[],
    private readonly reflector: Reflector,
  ) {}

  of(context: ExecutionContext): readonly RouteThrottler[] {
    const [handler, owner] = [context.getHandler(), context.getClass()];
    let byClass = this.#known.get(handler);
    if (!byClass) this.#known.set(handler, (byClass = new WeakMap()));
    let found = byClass.get(owner);
    if (!found) byClass.set(owner, (found = this.throttlers.map((each) => this.#read(each, [handler, owner]))));
    return found;
  }

  #read(throttler: ThrottlerOptions, targets: [Handler, Class]): RouteThrottler {
    const name = throttler.name ?? 'default';
    const read = <T>(key: string): T | undefined =>
      this.reflector.getAllAndOverride<T | undefined>(key + name, targets) ?? undefined;
    return {
      throttler,
      name,
      skipped: Boolean(read(THROTTLER_METADATA.skip)),
      limit: read<Resolvable<number>>(THROTTLER_METADATA.limit) ?? throttler.limit,
      ttl: read<Resolvable<number>>(THROTTLER_METADATA.ttl) ?? throttler.ttl,
      blockDuration: read<Resolvable<number>>(THROTTLER_METADATA.blockDuration) ?? throttler.blockDuration,
      getTracker: read<ThrottlerGetTrackerFunction>(THROTTLER_METADATA.tracker) || throttler.getTracker,
      generateKey: read<ThrottlerGenerateKeyFunction>(THROTTLER_METADATA.keyGenerator) || throttler.generateKey,
    };
  }
}

/** The number that an option stands for in this context; throws for what is none, as the reference does. */
export async function numberOf(
  value: Resolvable<number>,
  option: string,
  throttlerName: string,
  context: ExecutionContext,
): Promise<number> {
  const resolved: unknown = typeof value === 'function' ? await value(context) : value;
  const number = typeof resolved === 'string' && resolved.trim() !== '' ? Number(resolved) : resolved;
  if (typeof number === 'number' && !Number.isNaN(number)) return number;
  throw new Error(
    `Invalid "${option}" for the "${throttlerName}" throttler: expected a number, got ${JSON.stringify(resolved)}.`,
  );
}
