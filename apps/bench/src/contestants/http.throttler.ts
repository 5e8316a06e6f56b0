import 'reflect-metadata';
import { ThrottlerStorageRedisService } from '@nest-lab/throttler-storage-redis';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import type { IncomingMessage } from 'node:http';
import type { Contestant } from '../contestant.js';
import { Admissions, BODY, CLIENT_HEADER, limitOf, openService } from './nest-service.js';

@Controller()
class ThrottlerController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @UseGuards(ThrottlerGuard)
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** `@nestjs/throttler` with its memory, or with the storage of nest-lab on an ioredis with default settings. */
export function throttlerGuard(backend: 'redis' | 'memory'): Contestant {
  return async (task) => {
    const client = backend === 'redis' ? new Redis(task.redisUrl, { lazyConnect: true }) : undefined;
    await client?.connect();
    const service = await openService(task, ThrottlerController, [
      ThrottlerModule.forRoot({
        throttlers: [{ ttl: 3_600_000, limit: limitOf(task) }],
        getTracker: (request) => String((request as IncomingMessage).headers[CLIENT_HEADER]),
        storage: client && new ThrottlerStorageRedisService(client),
      }),
    ]);
    return {
      ...service,
      async close() {
        await service.close();
        client?.disconnect();
      },
    };
  };
}
