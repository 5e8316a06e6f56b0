import type { ExecutionContext, NestInterceptor } from '@nestjs/common';
import { tap } from 'rxjs';

/** A request whose handler is going to run. */
export interface Running {
  begin(): void;
  end(failed: boolean): void;
}

const runningKey = Symbol('roost.throttle.running');

type Arguments = unknown[] & { [runningKey]?: Running };

/** Leaves word for the interceptor of the same call: guard and interceptor see the same arguments. */
export function leaveForInterceptor(context: ExecutionContext, running: Running): void {
  (context.getArgs() as Arguments)[runningKey] = running;
}

/**
 * Tells when a handler begins and ends that answers by no HTTP response. It keeps no state, so that applications which
 * share a handler share it, too.
 */
export const settlementInterceptor: NestInterceptor = {
  intercept(context, next) {
    const running = (context.getArgs() as Arguments)[runningKey];
    if (running === undefined) return next.handle();
    running.begin();
    return next.handle().pipe(
      tap({
        complete: () => running.end(false),
        error: () => running.end(true),
        unsubscribe: () => running.end(true),
      }),
    );
  },
};
