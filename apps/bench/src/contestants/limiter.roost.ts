import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { RateLimiter, ThrottleModule, type Decision } from '@roost/throttle';
import { STRICT, UNREACHABLE, type Contestant } from '../contestant.js';
import { openLimiter } from './limiter.js';

class BenchModule {}

/** Reached only by who is asked with leases whether he limits. */
const MANY = 1_000;

/**
 * `RateLimiter.consume` with the module's defaults; its three limits are one atomic script. With leases it takes many at
 * once of each limit from Redis.
 */
export function roostLimiter(backend: 'redis' | 'memory', { lease = false } = {}): Contestant {
  return async (task) => {
    const limit = { limit: UNREACHABLE, window: '1h', key: 'user', lease } as const;
    const imports = [
      RedisModule.forRoot(backend === 'redis' ? { url: task.redisUrl } : {}),
      ThrottleModule.forRoot({
        policies: {
          open: limit,
          three: [
            { name: 'user', ...limit },
            { name: 'address', ...limit },
            { name: 'route', ...limit },
          ],
          strict: { ...limit, limit: STRICT },
          many: { ...limit, limit: MANY },
          once: { ...limit, limit: 1 },
        },
      }),
    ];
    const app = await NestFactory.createApplicationContext({ module: BenchModule, imports }, { logger: false });
    const limiter = app.get(RateLimiter);
    const passes = (policy: string, subject: string) => limiter.consume(policy, subject).then(isAllowed);
    return openLimiter(
      {
        check: (subject) => passes('open', subject),
        checkThree: (subject) =>
          limiter.consume('three', { user: subject, address: subject, route: subject }).then(isAllowed),
        checkStrict: (subject) => passes('strict', subject),
        refusesSecond: (subject) => limiter.consume('once', subject).then(isRefused),
        ...(lease && { early: { limit: MANY, check: (subject) => passes('many', subject) } }),
        close: () => app.close(),
      },
      task,
    );
  };
}

const isAllowed = ({ allowed }: Decision) => allowed;
const isRefused = ({ allowed }: Decision) => !allowed;
