import 'reflect-metadata';
import { ThrottlerStorageRedisService } from '@nest-lab/throttler-storage-redis';
import { ThrottlerStorageService, type ThrottlerStorage } from '@nestjs/throttler';
import { Redis } from 'ioredis';
import { STRICT, UNREACHABLE, type Contestant, type Opened, type Task } from '../contestant.js';
import { openLimiter } from './limiter.js';

const TTL_MS = 3_600_000;

/** What most NestJS services use: the storage of nest-lab on an ioredis with default settings. */
export const nestLab: Contestant = async (task) => {
  const client = new Redis(task.redisUrl, { lazyConnect: true });
  client.on('error', () => {}); // the suite `outage` provokes them
  await client.connect();
  return open(new ThrottlerStorageRedisService(client), task, () => client.disconnect());
};

/** What `@nestjs/throttler` does without a storage. */
export const throttlerMemory: Contestant = async (task) => {
  const storage = new ThrottlerStorageService();
  return open(storage, task, () => storage.onApplicationShutdown());
};

function open(storage: ThrottlerStorage, task: Task, close: () => void): Promise<Opened> {
  const passes = (subject: string, limit: number, name: string) =>
    storage.increment(subject, TTL_MS, limit, TTL_MS, name).then(({ isBlocked }) => !isBlocked);
  return openLimiter(
    {
      check: (subject) => passes(subject, UNREACHABLE, 'open'),
      // ThrottlerGuard asks one throttler after the other; its keys differ by the throttler's name.
      async checkThree(subject) {
        for (const name of ['user', 'address', 'route']) {
          if (!(await passes(`${name}:${subject}`, UNREACHABLE, name))) return false;
        }
        return true;
      },
      checkStrict: (subject) => passes(subject, STRICT, 'strict'),
      refusesSecond: (subject) =>
        storage.increment(subject, TTL_MS, 1, TTL_MS, 'once').then(({ isBlocked }) => isBlocked),
      close,
    },
    task,
  );
}
