import 'reflect-metadata';
import { Controller, Get, type ExecutionContext } from '@nestjs/common';
import { RedisModule } from '@roost/redis';
import { RateLimit, ThrottleModule } from '@roost/throttle';
import type { IncomingMessage } from 'node:http';
import type { Contestant } from '../contestant.js';
import { Admissions, BODY, CLIENT_HEADER, limitOf, openService } from './nest-service.js';

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
    openService(RoostController, [
      RedisModule.forRoot(backend === 'redis' ? { url: task.redisUrl } : {}),
      ThrottleModule.forRoot({ policies: { route: { limit: limitOf(task), window: '1h', key: clientOf } } }),
    ]);
}

function clientOf(context: ExecutionContext): string {
  return String(context.switchToHttp().getRequest<IncomingMessage>().headers[CLIENT_HEADER]);
}
