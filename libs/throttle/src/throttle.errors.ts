import { HttpException, HttpStatus } from '@nestjs/common';
import { RoostError, show } from '@roost/redis';
import { isUnavailable, type Decision } from './decision.js';
import { msToSeconds } from './requests/header-dialects.js';

/** Thrown by the guard when a limit is exceeded. HTTP 429 with `Retry-After`; its response is an RFC 9457 problem. */
export class RateLimitExceededError extends HttpException {
  static readonly code = 'throttle.exceeded';
  readonly code = RateLimitExceededError.code;
  readonly httpStatus = HttpStatus.TOO_MANY_REQUESTS;

  constructor(readonly decision: Decision) {
    const detail = detailOf(decision);
    super(
      {
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Request cannot be satisfied as assigned quota has been exceeded',
        status: HttpStatus.TOO_MANY_REQUESTS,
        detail,
        'violated-policies': decision.violated,
        errorCode: RateLimitExceededError.code,
      },
      HttpStatus.TOO_MANY_REQUESTS,
    );
    this.name = 'RateLimitExceededError';
    this.message = detail;
  }

  /** When the request would pass, in ms; null when waiting does not help. */
  get retryAfterMs(): number | null {
    return this.decision.retryAfterMs;
  }
}

/** Thrown by the guard when Redis is lost and a limit's outage policy is `closed`. HTTP 503 with `Retry-After`. */
export class RateLimitUnavailableError extends HttpException {
  static readonly code = 'throttle.unavailable';
  readonly code = RateLimitUnavailableError.code;
  readonly httpStatus = HttpStatus.SERVICE_UNAVAILABLE;

  constructor(readonly decision: Decision) {
    const detail = 'Requests cannot be counted at the moment, and this one must not pass uncounted.';
    super(
      {
        type: 'about:blank',
        title: 'Service Unavailable',
        status: HttpStatus.SERVICE_UNAVAILABLE,
        detail,
        'violated-policies': decision.violated,
        errorCode: RateLimitUnavailableError.code,
      },
      HttpStatus.SERVICE_UNAVAILABLE,
    );
    this.name = 'RateLimitUnavailableError';
    this.message = `${detail} Policies with outage 'closed': ${decision.violated.join(', ')}.`;
  }

  get retryAfterMs(): number | null {
    return this.decision.retryAfterMs;
  }
}

/** The error of a refusal in HTTP. */
export function refusalOf(decision: Decision): RateLimitExceededError | RateLimitUnavailableError {
  return untraced(() =>
    isUnavailable(decision) ? new RateLimitUnavailableError(decision) : new RateLimitExceededError(decision),
  );
}

/**
 * Makes an error without a stack trace: a refusal is no fault to be traced, and the trace took more time than anything
 * else that an attack costs.
 */
export function untraced<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Thrown before anything is counted when a cost is not a non-negative integer below 2^53. */
export class InvalidCostError extends RoostError {
  static override readonly code: string = 'throttle.invalid-cost';

  constructor(readonly cost: unknown) {
    super(`Expected \`cost\` to be a non-negative integer below 2^53, got ${show(cost)}.`);
  }
}

/** Thrown when a subject is empty or missing: counting it would put strangers into one bucket. */
export class InvalidSubjectError extends RoostError {
  static override readonly code: string = 'throttle.invalid-subject';

  constructor(
    readonly limit: string,
    subject: unknown,
  ) {
    super(`Limit "${limit}" needs a subject that is a non-empty string, got ${show(subject)}.`);
  }
}

/** Thrown when slots of `concurrency` are asked for by a call that cannot give them back. */
export class ReservationRequiredError extends RoostError {
  static override readonly code: string = 'throttle.reservation-required';

  constructor(readonly limit: string) {
    super(
      `Limit "${limit}" counts what runs at the same time. Use \`reserve\`, and \`commit\` or \`rollback\` when it has ended.`,
    );
  }
}

/** Thrown by `RateLimitRollout` when an order makes no sense; nothing is changed. */
export class InvalidRolloutError extends RangeError {
  static readonly code = 'throttle.invalid-rollout';
  readonly code = InvalidRolloutError.code;
  readonly httpStatus = HttpStatus.UNPROCESSABLE_ENTITY;

  constructor(message: string) {
    super(`${message}.`);
    this.name = 'InvalidRolloutError';
  }
}

/** Thrown when a policy is asked for by a name that the module's options do not hold. */
export class UnknownPolicyError extends RoostError {
  static override readonly code: string = 'throttle.unknown-policy';

  constructor(
    readonly policy: string,
    known: Iterable<string>,
  ) {
    super(`There is no rate limit policy ${show(policy)}. Known are: ${[...known].join(', ') || 'none'}.`);
  }
}

function detailOf({ policies, violated, retryAfterMs }: Decision): string {
  const limits = policies
    .filter(({ policy }) => violated.includes(policy))
    .map(({ policy, limit, windowMs, blocked }) => {
      if (blocked) return `"${policy}" has blocked you`;
      const per = windowMs === null ? 'at once' : `per ${msToSeconds(windowMs)} s`;
      return `"${policy}" allows ${limit} ${per}`;
    });
  const then = retryAfterMs === null ? 'Waiting will not help.' : `Try again in ${msToSeconds(retryAfterMs)} s.`;
  return `${limits.join(', ')}. ${then}`;
}
