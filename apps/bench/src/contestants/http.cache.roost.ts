import 'reflect-metadata';
import { Controller, Get } from '@nestjs/common';
import { CacheModule, CacheResponse } from '@roost/cache';
import { RedisModule } from '@roost/redis';
import type { Contestant } from '../contestant.js';
import { problemOfCached } from './http.cache.js';
import { Admissions, BODY, openService } from './nest-service.js';

@Controller()
class CachedController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @CacheResponse({ ttl: '1m', scope: 'public' })
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** `@CacheResponse` with the module's defaults: the answer is in this process, and in Redis. */
export const roostResponse: Contestant = async (task) => {
  const imports = [RedisModule.forRoot({ url: task.redisUrl }), CacheModule.forRoot()];
  const service = await openService(task, CachedController, imports);
  return { ...service, verify: () => problemOfCached(service) };
};
