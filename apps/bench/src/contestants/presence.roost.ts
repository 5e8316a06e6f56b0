import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { PresenceModule, PresenceService } from '@roost/presence';
import { RedisModule } from '@roost/redis';
import type { Contestant } from '../contestant.js';
import { openPresence } from './presence.js';

class BenchModule {}

const ROOM = 'lobby';
/** Users who are online are spread over so many rooms. */
const ROOMS = 100;

/** `PresenceService` with the module's defaults: signs of life of users stay in the process. */
export const roostPresence: Contestant = async (task) => {
  const imports = [RedisModule.forRoot({ url: task.redisUrl, commandTimeoutMs: 5_000 }), PresenceModule.forRoot()];
  const app = await NestFactory.createApplicationContext({ module: BenchModule, imports }, { logger: false });
  const presence = app.get(PresenceService);
  let came = 0;
  const roomOf = () => (task.work === 'room' ? ROOM : `room-${came++ % ROOMS}`);
  return openPresence(
    {
      online: {
        async come(userIds) {
          await Promise.all(userIds.map((userId) => presence.join(roomOf(), { userId })));
        },
        beat: () => Promise.resolve(),
        count: async (userIds) => (await presence.online(userIds)).size,
      },
      room: async () => (await presence.list(ROOM)).members.map(({ userId }) => userId),
      close: () => app.close(),
    },
    task,
  );
};
