import { connect, MutatedCommands, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import type { RoomDiff } from './stores/presence.store.js';
import { RedisPresenceStore } from './stores/redis-presence.store.js';
import { channelOf } from './stores/topics.js';
import { diffOf, type WireDiff } from './stores/wire.js';
import { Bench, passInRedis, presenceVectors, REPLAY, type OpenedPresenceStore } from './testing.js';

/** Guards of the scripts, each taken away on purpose, and the promise that is broken without it. */
const MUTANTS = [
  {
    what: 'a device that is not there cannot leave',
    guard: 'if silent >= goneAfter then return changed(0) end',
    broken: '',
    promise: 'case 54',
  },
  {
    what: 'a device of another node stays',
    guard: " .. SEPARATOR .. string.match(node, '^[^.]+')",
    broken: '',
    promise: 'a device that is on two nodes',
  },
  {
    what: 'a grace swallows the join of who is back',
    guard: " and not call('ZSCORE', graces, user)",
    broken: '',
    promise: 'case 53',
  },
  {
    what: 'who was here unheard has a grace',
    guard: 'told = add(user)',
    broken: 'return changed(0)',
    promise: 'the user of a device that the store does not know',
  },
  {
    what: 'only the last device is a leave',
    guard: 'if left > 0 then return false end',
    broken: '',
    promise: 'case 50',
  },
  {
    what: 'a grace of another device counts',
    guard: 'if graceEnds > now then',
    broken: 'if false then',
    promise: 'a user whose other device was lost',
  },
  {
    what: 'only devices of the dead node are taken away',
    guard: 'string.sub(value, 1, #node) == node and ',
    broken: '',
    promise: 'case 51',
  },
  {
    what: 'a claimed node is claimed by nobody else',
    guard: "redis.call('ZADD', KEYS[1], now + 10000, dead)",
    broken: "redis.call('ZADD', KEYS[1], now - 1, dead)",
    promise: 'case 52',
  },
  {
    what: 'a node that was taken for dead is told',
    guard: 'return { known, claimed }',
    broken: 'return { 1, claimed }',
    promise: 'case 55',
  },
  {
    what: 'what is the same is no update',
    guard: 'if string.sub(before, string.find(before, SEPARATOR, 1, true) + 1) == meta then return changed(0) end',
    broken: '',
    promise: 'case 58',
  },
] as const;

describe('the suite of presence stores', () => {
  let server: RedisServer;
  let redis: Connected;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, commandTimeoutMs: 2_000 });
  });
  afterAll(async () => {
    await redis?.close();
    await server?.stop();
  });
  afterEach(() => server.command('FLUSHALL'));

  /** Whether the promise is kept by a store whose scripts are changed, and whether there was anything to change. */
  async function tried(promise: string, guard: string, broken: string) {
    const { pubsub } = redis;
    let found = false;
    const commands = new MutatedCommands(redis.commands, (lua) => {
      found ||= lua.includes(guard);
      return lua.replace(guard, broken);
    });
    const opened: OpenedPresenceStore = {
      store: new RedisPresenceStore({ commands, pubsub, replay: REPLAY, lastSeenForMs: 86_400_000 }),
      listen: async (topic) => {
        const heard: RoomDiff[] = [];
        await pubsub.subscribe(channelOf(topic), (text) => heard.push(diffOf(JSON.parse(text) as WireDiff)));
        return heard;
      },
      pass: (ms) => passInRedis(redis.commands, ms),
      close: () => undefined,
    };
    const vectors = presenceVectors.filter(({ name }) => name.startsWith(promise));
    expect(vectors).toHaveLength(1);
    const kept = await vectors[0]!.check(new Bench(opened)).then(
      () => true,
      () => false,
    );
    return { kept, found };
  }

  it.each(MUTANTS)('notices when it is not so that $what', async ({ guard, broken, promise }) => {
    expect(await tried(promise, guard, guard)).toEqual({ kept: true, found: true });
    expect(await tried(promise, guard, broken)).toEqual({ kept: false, found: true });
  });
});
