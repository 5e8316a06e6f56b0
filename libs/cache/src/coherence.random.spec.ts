import type { CommandArg, Commands } from '@roost/redis';
import { MutatedCommands } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, openNode, wireOf, type CacheNode } from './cache.testbed.js';
import { Changes, Watch } from './near/changes.js';

const NODES = 4;
const KEYS = ['a', 'b', 'c', 'd'];
const tagOf = (key: string) => (key < 'c' ? 'first' : 'last');
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

/** Four processes that read, load, write, invalidate and lose their link at random, and an origin that is always right. */
describe('coherence of random runs', () => {
  let server: RedisServer;
  let nodes: CacheNode[] = [];

  beforeEach(async () => {
    server = await RedisServer.start();
    nodes = await Promise.all(Array.from({ length: NODES }, () => openNode({ url: server.url })));
    for (const { redis } of nodes) {
      const { commands } = redis.backend;
      // An answer may be taken in later than the news of a change that makes it void.
      for (const verb of ['read', 'readBytes'] as const) {
        const read = commands[verb].bind(commands);
        commands[verb] = async <T>(...asked: [string, ...CommandArg[]]) => {
          const answer = await read<T>(...asked);
          await sleep(Math.random() * 6);
          return answer;
        };
      }
    }
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(nodes.map((each) => each.close()));
    await server.stop();
  });

  /** How many answers were old, after each round of everything at random and 60 ms of quiet. */
  async function staleAfter(rounds: number, enough = Infinity): Promise<number> {
    const origin = new Map(KEYS.map((key) => [key, 0]));
    let stale = 0;
    for (let round = 0; round < rounds && stale < enough; round++) {
      if (round % 4 === 3) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await Promise.all(Array.from({ length: 40 }, () => step(origin)));
      await sleep(60);
      for (const { cache } of nodes) {
        for (const key of KEYS) {
          const value = await cache.get(key);
          if (value !== undefined && value !== origin.get(key)) stale++;
        }
      }
      if (round % 4 === 3) await becomes(() => nodes.every(({ cache }) => cache.stats().near.coherent));
    }
    return stale;
  }

  async function step(origin: Map<string, number>): Promise<void> {
    const key = pick(KEYS);
    const { cache } = pick(nodes);
    const options = { ttl: '10m', jitter: 0, tags: [tagOf(key)] } as const;
    await sleep(Math.random() * 40);
    const dice = Math.random();
    if (dice < 0.45) await cache.get(key);
    else if (dice < 0.7) {
      const load = async () => {
        const value = origin.get(key)!;
        await sleep(Math.random() * 8);
        return value;
      };
      await cache.getOrSet(key, load, options);
    } else {
      origin.set(key, origin.get(key)! + 1);
      if (dice < 0.82) await cache.delete(key);
      else if (dice < 0.95) await cache.invalidateTags(tagOf(key));
      else await server.command('EVAL', FOREIGN, 2, wireOf(key).entry, wireOf(key).lease); // what another language would do
    }
  }

  const FOREIGN = `redis.call('DEL', KEYS[2]) redis.call('SET', KEYS[1], 'foreign', 'PX', 5)`;

  it('19: none of four processes serves anything old', async () => {
    expect(await staleAfter(25)).toBe(0);
  });

  const mutants: Record<string, () => void> = {
    'the lease': () => {
      for (const { redis } of nodes) {
        const { commands } = redis.backend;
        const unchanged = Object.create(commands, { run: { value: commands.run.bind(commands) } }) as Commands;
        commands.run = new MutatedCommands(unchanged, (lua) =>
          lua.replace(
            /if not mine\(KEYS\[2\]\) then return 0 end(?=\s+redis.call\('DEL', KEYS\[2\]\)\s+local there)/,
            '',
          ),
        ).run;
      }
    },
    'the token of what is in flight': () => {
      jest.spyOn(Watch.prototype, 'trusts').mockReturnValue(true);
    },
    'the flush at a reconnect': () => {
      jest.spyOn(Changes.prototype, 'flushed').mockReturnValue();
    },
  };
  it.each(Object.keys(mutants))('19: and would, without %s', async (guard) => {
    mutants[guard]!();
    expect(await staleAfter(120, 1)).toBeGreaterThan(0);
  });
});
