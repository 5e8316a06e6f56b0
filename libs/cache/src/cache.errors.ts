import { RoostError } from '@roost/redis';

/** Thrown when a call's options make no sense: they are the caller's mistake, not Redis'. */
export class InvalidCacheOptionsError extends RoostError {
  static override readonly code: string = 'cache.invalid-options';

  constructor(readonly problems: readonly string[]) {
    super(`The cache was asked for something that makes no sense: ${problems.join('; ')}`);
  }
}

/** What a codec throws for a value that it cannot write; the caller gets the value, and it is not stored. */
export class UnstorableValueError extends RoostError {
  static override readonly code: string = 'cache.unstorable-value';
}

/** Thrown when a load took longer than `hardTimeout`, and there was no stale value to give. HTTP 504. */
export class CacheTimeoutError extends RoostError {
  static override readonly code: string = 'cache.load-timeout';
  override readonly httpStatus: number = 504;

  constructor(readonly timeoutMs: number) {
    super(
      `The value was not loaded within ${timeoutMs} ms. Make its loader faster, or allow it a longer \`hardTimeout\`.`,
    );
  }
}

/** Thrown when a loader asks for the very value that it loads: it would wait for itself. */
export class CacheRecursionError extends RoostError {
  static override readonly code: string = 'cache.recursion';

  constructor(readonly key: string) {
    super(
      `The loader of "${key}" asks for "${key}", and would wait for itself. Give the inner value a key of its own.`,
    );
  }
}

/** Thrown instead of loading again, when another caller's load has just failed (`errorTtl`); says what that one said. */
export class CachedFailureError extends RoostError {
  static override readonly code: string = 'cache.recent-failure';
  override readonly httpStatus: number;

  constructor(
    /** The name and code of the error of the load. */
    readonly original: { readonly name: string; readonly code?: string; readonly message: string },
    httpStatus: number,
    override readonly retryAfterMs: number,
  ) {
    super(`A load of this value has just failed: ${original.name}: ${original.message}`);
    this.httpStatus = httpStatus;
  }
}

/** The reason with which loads are aborted when the application ends. */
export class CacheClosedError extends RoostError {
  static override readonly code: string = 'cache.closed';
  override readonly httpStatus: number = 503;

  constructor() {
    super('The application ends: what it loads is not waited for.');
  }
}
