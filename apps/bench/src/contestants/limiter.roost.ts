import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { RateLimiter, ThrottleModule } from '@roost/throttle';
import { STRICT, UNREACHABLE, type Contestant } from '../contestant.js';
import { openLimiter } from './limiter.js';

class BenchModule {}

/** `RateLimiter.consume` with the module's defaults; its three limits are one atomic script. */
export function roostLimiter(backend: 'redis' | 'memory'): Contestant {
  return async (task) => {
    const limit = { limit: UNREACHABLE, window: '1h', key: 'user' } as const;
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
        },
      }),
    ];
    const app = await NestFactory.createApplicationContext({ module: BenchModule, imports }, { logger: false });
    const limiter = app.get(RateLimiter);
    const passes = async (policy: string, subject: string) => (await limiter.consume(policy, subject)).allowed;
    return openLimiter(
      {
        check: (subject) => passes('open', subject),
        checkThree: async (subject) =>
          (await limiter.consume('three', { user: subject, address: subject, route: subject })).allowed,
        checkStrict: (subject) => passes('strict', subject),
        close: () => app.close(),
      },
      task,
    );
  };
}
