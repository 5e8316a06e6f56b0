import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { LockModule, LockService } from '@roost/lock';
import { RedisModule } from '@roost/redis';
import type { Contestant } from '../contestant.js';
import { LOCK_TTL_MS, openLock } from './lock.js';

class BenchModule {}

const OPTIONS = { ttl: LOCK_TTL_MS, wait: '10m' } as const;

/** `LockService.acquire` with the module's defaults: fenced, queued, renewed, quarantined. */
export const roostLock: Contestant = async (task) => {
  const imports = [RedisModule.forRoot({ url: task.redisUrl }), LockModule.forRoot()];
  const app = await NestFactory.createApplicationContext({ module: BenchModule, imports }, { logger: false });
  const locks = app.get(LockService);
  return openLock({
    async acquire(key) {
      const lock = await locks.acquire(key, OPTIONS);
      return () => lock.release();
    },
    close: () => app.close(),
  });
};
