import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { MemoryPresenceStore } from './stores/memory-presence.store.js';
import type { RoomDiff, Topic } from './stores/presence.store.js';
import { RedisPresenceStore } from './stores/redis-presence.store.js';
import { channelOf } from './stores/topics.js';
import { diffOf, type WireDiff } from './stores/wire.js';
import { describePresenceStore, passInRedis, REPLAY, type OpenedPresenceStore } from './testing.js';

const lastSeenForMs = 86_400_000;

/** A store in memory, by a clock that the test moves. */
function openMemoryStore(): OpenedPresenceStore {
  let ms = 1_800_000_000_000;
  const heard = new Map<string, RoomDiff[]>();
  const publish = ({ name }: Topic, text: string) => void heard.get(name)?.push(diffOf(JSON.parse(text) as WireDiff));
  const store = new MemoryPresenceStore({ replay: REPLAY, lastSeenForMs, publish, now: () => ms });
  return {
    store,
    listen: async ({ name }) => {
      heard.set(name, []);
      return heard.get(name)!;
    },
    pass: (by) => void (ms += by),
    close: () => undefined,
  };
}

describePresenceStore('memory', openMemoryStore);

let server: RedisServer;
let redis: Connected;

/** A store in Redis, where time is moved in what is stored. */
async function openRedisStore(): Promise<OpenedPresenceStore> {
  server = await RedisServer.start();
  redis = await connect({ url: server.url, commandTimeoutMs: 2_000 });
  const { commands, pubsub } = redis;
  return {
    store: new RedisPresenceStore({ commands, pubsub, replay: REPLAY, lastSeenForMs }),
    listen: async (topic) => {
      const heard: RoomDiff[] = [];
      await pubsub.subscribe(channelOf(topic), (text) => heard.push(diffOf(JSON.parse(text) as WireDiff)));
      return heard;
    },
    pass: (ms) => passInRedis(commands, ms),
    close: async () => {
      const forever = (await server.keys()).map(async (key) => [key, await server.command('TTL', key)] as const);
      const without = (await Promise.all(forever)).filter(([, ttl]) => ttl === -1);
      await redis.close();
      await server.stop();
      expect(without).toEqual([]); // whatever the suite has left ends by itself
    },
  };
}

describePresenceStore('redis', openRedisStore);
