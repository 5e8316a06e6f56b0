import 'reflect-metadata';
import { Controller, Get } from '@nestjs/common';
import { RedisModule } from '@roost/redis';
import { RateLimit, ThrottleModule } from '@roost/throttle';
import type { Contestant } from '../contestant.js';
import { Admissions, BODY, limitOf, openService } from './nest-service.js';

@Controller()
class RoostController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @RateLimit('route')
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** `@RateLimit` with the module's defaults. */
export function roostGuard(backend: 'redis' | 'memory'): Contestant {
  return (task) =>
    openService(task, RoostController, [
      RedisModule.forRoot(backend === 'redis' ? { url: task.redisUrl } : {}),
      ThrottleModule.forRoot({ policies: { route: { limit: limitOf(task), window: '1h', key: 'apiKey' } } }),
    ]);
}
