import { Redis, type RedisOptions } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterUnion } from 'rate-limiter-flexible';
import { STRICT, UNREACHABLE, type Contestant, type Opened, type Task } from '../contestant.js';
import { openLimiter } from './limiter.js';

type Make = (keyPrefix: string, points: number) => RateLimiterMemory | RateLimiterRedis;

const DURATION_SECONDS = 3_600;

/** rate-limiter-flexible on an ioredis with default settings. */
export const flexible: Contestant = (task) => onRedis(task, {}, {});

/** The same with its local cache of blocked keys. */
export const flexibleBlocking: Contestant = (task) => onRedis(task, {}, { blocking: true });

/** The same with its answer to an outage: an `insuranceLimiter` in memory. */
export function flexibleInsured(options: RedisOptions): Contestant {
  return (task) => onRedis(task, options, { insured: true });
}

export const flexibleMemory: Contestant = async (task) =>
  open(
    (keyPrefix, points) => new RateLimiterMemory({ keyPrefix, points, duration: DURATION_SECONDS }),
    task,
    () => {},
  );

async function onRedis(
  task: Task,
  options: RedisOptions,
  { insured = false, blocking = false }: { readonly insured?: boolean; readonly blocking?: boolean },
): Promise<Opened> {
  const storeClient = new Redis(task.redisUrl, { ...options, lazyConnect: true });
  storeClient.on('error', () => {}); // the suite `outage` provokes them
  await storeClient.connect();
  const make: Make = (keyPrefix, points) => {
    const shared = { keyPrefix, points, duration: DURATION_SECONDS };
    const insuranceLimiter = insured ? new RateLimiterMemory(shared) : undefined;
    const inMemoryBlockOnConsumed = blocking ? points : undefined;
    return new RateLimiterRedis({ ...shared, storeClient, insuranceLimiter, inMemoryBlockOnConsumed });
  };
  return open(make, task, () => storeClient.disconnect());
}

function open(make: Make, task: Task, close: () => void): Promise<Opened> {
  const [open, strict, once] = [make('open', UNREACHABLE), make('strict', STRICT), make('once', 1)];
  const union = new RateLimiterUnion(
    make('user', UNREACHABLE),
    make('address', UNREACHABLE),
    make('route', UNREACHABLE),
  );
  return openLimiter(
    {
      check: (subject) => passes(open.consume(subject)),
      checkThree: (subject) => passes(union.consume(subject)),
      checkStrict: (subject) => passes(strict.consume(subject)),
      refusesSecond: (subject) => once.consume(subject).then(isFalse, isRefusal),
      close,
    },
    task,
  );
}

const passes = (consumed: Promise<unknown>) => consumed.then(isTrue, isNoRefusal);
const isTrue = () => true;
const isFalse = () => false;
const isNoRefusal = (reason: unknown) => !isRefusal(reason);

/** A refusal rejects with its numbers, a failure with an error. */
function isRefusal(reason: unknown): true {
  if (reason instanceof Error) throw reason;
  return true;
}
