import { defineKey, defineScript } from '@roost/redis';
import { connect } from '@roost/redis/testing';
import type { Contestant } from '../contestant.js';
import { COUNT_LUA, COUNT_TTL_MS, openClient } from './command-client.js';
import { CopiedCork, NoCork, type Corker } from './corks.js';

const counter = defineKey('bench:count:{id}', { ttl: '1m', maxBytes: 20 });
const value = defineKey('bench:value', { ttl: '1m', maxBytes: 200 });
const countScript = defineScript('bench.count', {
  keys: ['counter'],
  args: ['ttlMs'],
  reply: Number,
  lua: COUNT_LUA,
});

type Corking = 'shipped' | 'next tick' | 'uncorked';

/** Roost's `Commands`: the same code with its own cork, with one that ends with the tick, and without one. */
export function roost(corking: Corking): Contestant {
  return async (task) => {
    const redis = await connect({ url: task.redisUrl });
    const { commands } = redis;
    if (corking !== 'shipped')
      replaceCorks(commands, () =>
        corking === 'uncorked' ? new NoCork() : new CopiedCork((flush) => process.nextTick(flush)),
      );
    return openClient(
      {
        count: (id) => commands.run(countScript, { counter: counter.of({ id }) }, { ttlMs: COUNT_TTL_MS }),
        get: () => commands.read<string | null>('GET', value.of({})),
        set: (text) => commands.write('SET', value.of({}), text, 'PX', value.ttlMs),
        close: () => redis.close(),
      },
      task,
    );
  };
}

/** Reaches into the lib, which has no door for this: nobody but a benchmark wants another cork. */
function replaceCorks(commands: object, make: () => Corker): void {
  const { lanes } = commands as { lanes?: Readonly<Record<string, { cork: Corker }>> };
  if (!lanes?.['read']?.cork || !lanes['write']?.cork) throw new Error('RedisCommands keeps its corks elsewhere now');
  for (const lane of Object.values(lanes)) lane.cork = make();
}
