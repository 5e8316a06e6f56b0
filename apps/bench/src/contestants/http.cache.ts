import 'reflect-metadata';
import { createKeyv } from '@keyv/redis';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import {
  Controller,
  Get,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import type { Contestant, Opened } from '../contestant.js';
import { Admissions, BODY, openService } from './nest-service.js';

const TTL_MS = 60_000;

class EmptyInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    return next.handle();
  }
}

@Controller()
class InterceptedController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @UseInterceptors(EmptyInterceptor)
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

@Controller()
class CachedController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @UseInterceptors(CacheInterceptor)
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** What the route costs when an interceptor is asked, whatever that does. */
export const emptyInterceptor: Contestant = (task) => openService(task, InterceptedController);

/** Nest's own: with the memory that it has by default, or with `@keyv/redis` alone. */
export function cacheInterceptor(backend: 'redis' | 'memory'): Contestant {
  return async (task) => {
    const stores = backend === 'redis' ? createKeyv(task.redisUrl) : undefined;
    const service = await openService(task, CachedController, [
      CacheModule.register({ ttl: TTL_MS, ...(stores && { stores }) }),
    ]);
    return { ...service, verify: () => problemOfCached(service) };
  };
}

/** How often a route may be asked until its answer is in the cache: some are stored after they were sent. */
const PATIENCE = 20;

/** In the end the route answers without its handler, and always the same. */
export async function problemOfCached(service: Opened): Promise<string | undefined> {
  const expected = JSON.stringify(BODY);
  for (let asked = 0; asked < PATIENCE; asked++) {
    const before = service.admitted!();
    const answer = await (await fetch(`http://127.0.0.1:${service.port}/`)).text();
    if (answer !== expected) return `answered ${answer.slice(0, 50)}`;
    if (asked > 0 && service.admitted!() === before) return undefined;
  }
  return `asked its handler ${PATIENCE} times`;
}
