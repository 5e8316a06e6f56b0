import { Injectable, Logger, type ExecutionContext } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Decision } from '../decision.js';
import type { HeldCharge } from '../switching/held-charge.js';
import { HeldCharges } from '../switching/held-charges.js';
import { repeatedly } from '../switching/repeatedly.js';
import type { Outcome } from '../throttle.options.js';
import { onLost, type LosableSocket } from './lost-connections.js';
import { leaveForInterceptor, type Running } from './settlement.interceptor.js';

const LOG_PAUSE_MS = 60_000;

/** Requests by their raw response: several decisions may wait for one, as those of a GraphQL query. */
const runningKey = Symbol('roost.throttle.running');

/** What Node's responses of HTTP/1 and HTTP/2 have in common here. */
type RawResponse = Pick<ServerResponse, 'once' | 'statusCode'> & {
  readonly destroyed?: boolean;
  readonly closed?: boolean;
  readonly writableFinished?: boolean;
  readonly stream?: { readonly destroyed: boolean };
  /** Missing while the response of a pipelined request waits for those before it. */
  readonly socket?: unknown;
  readonly req?: { readonly socket?: LosableSocket };
  [runningKey]?: HttpRequest;
};

/**
 * Settles what requests hold when they end, once: slots of `concurrency` are free again, and charges that `count` leaves
 * out are taken back. Until then it keeps the slots.
 */
@Injectable()
export class Settlements {
  readonly #logger = new Logger('RateLimit');
  readonly #logBug = repeatedly(LOG_PAUSE_MS, (error: unknown, suppressed: number) =>
    this.#logger.error('A `count` function failed: what it was asked about stays charged.', {
      event: 'throttle.count-failed',
      error: (error as Error).message,
      suppressed,
    }),
  );

  constructor(private readonly charges: HeldCharges) {}

  /**
   * Follows a request that was let in. Where there is an HTTP response, the request ends when that is finished or its
   * client goes away; otherwise when its handler does, and one that never runs leaves its charges as they are.
   */
  track(decision: Decision, context: ExecutionContext, response: unknown): void {
    const held = this.charges.of(decision);
    if (held === undefined) return;
    const raw = rawOf(response);
    if (raw === undefined) return leaveForInterceptor(context, this.#untilHandled(held));
    this.charges.keep(held);
    const request = (raw[runningKey] ??= new HttpRequest(raw));
    request.onEnd((outcome) => this.#settle(held, outcome));
    // GraphQL answers 200 whatever its resolvers do.
    if (context.getType() !== 'http') leaveForInterceptor(context, request);
  }

  #untilHandled(held: readonly HeldCharge[]): Running {
    return {
      begin: () => this.charges.keep(held),
      end: (failed) => this.#settle(held, { status: undefined, failed }),
    };
  }

  #settle(held: readonly HeldCharge[], outcome: Outcome): void {
    void this.charges.settle(held, (charge) => (this.#stays(charge, outcome) ? charge.settlement.held : 0));
  }

  #stays({ limit: { count } }: HeldCharge, outcome: Outcome): boolean {
    if (typeof count !== 'function') return count === 'all' || (count === 'failure') === outcome.failed;
    try {
      return count(outcome);
    } catch (error) {
      this.#logBug(error);
      return true;
    }
  }
}

/** One HTTP request until its end. */
class HttpRequest implements Running {
  readonly #listeners: ((outcome: Outcome) => void)[] = [];
  #failed = false;
  #outcome: Outcome | undefined;
  #unfollow: () => void = () => undefined;

  constructor(private readonly response: RawResponse) {
    if (isOver(response)) this.#over(response.writableFinished === true);
    response.once('finish', () => this.#over(true));
    response.once('close', () => this.#over(false));
    const connection = response.req?.socket;
    // It hears nothing of its connection until it is its turn, which never comes when that is lost.
    if (connection && !response.socket) this.#unfollow = onLost(connection, () => this.#over(false));
  }

  begin(): void {
    // It has begun already.
  }

  /** One of its handlers has ended: it goes on, but no longer succeeds when that failed. */
  end(failed: boolean): void {
    this.#failed ||= failed;
  }

  onEnd(listener: (outcome: Outcome) => void): void {
    if (this.#outcome) listener(this.#outcome);
    else this.#listeners.push(listener);
  }

  #over(answered: boolean): void {
    if (this.#outcome) return;
    this.#unfollow();
    const status = answered ? this.response.statusCode : undefined;
    this.#outcome = { status, failed: this.#failed || status === undefined || status >= 400 };
    for (const listener of this.#listeners) listener(this.#outcome);
  }
}

function rawOf(response: unknown): RawResponse | undefined {
  const raw = (response as { raw?: unknown } | null | undefined)?.raw ?? response;
  const { once, statusCode } = (raw ?? {}) as Partial<RawResponse>;
  return typeof once === 'function' && typeof statusCode === 'number' ? (raw as RawResponse) : undefined;
}

/** The client may have gone away while the limit was asked: then no event will come. */
function isOver({ destroyed, closed, writableFinished, stream, req }: RawResponse): boolean {
  if (destroyed === true || closed === true || writableFinished === true || stream?.destroyed === true) return true;
  return req?.socket?.destroyed === true;
}
