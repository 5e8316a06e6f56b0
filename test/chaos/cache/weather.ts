import type { RedisServer } from '@roost/testing';
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.js';
import type { Crew } from './crew.js';
import type { Judge } from './judge.js';
import { NAMES, TAGS } from './keys.js';

export const WEATHER = [
  'kill-link',
  'kill-links',
  'kill-data',
  'kill-writes',
  'kill-all',
  'foreign-del',
  'foreign-set',
  'foreign-expire',
  'foreign-touch',
  'evict-tag',
  'flushdb',
  'freeze-redis',
  'freeze-process',
  'restart',
  'power-loss',
] as const;

export type WeatherName = (typeof WEATHER)[number];

/** What the weather is made of. */
export interface Sky {
  readonly server: RedisServer;
  readonly crew: Crew;
  readonly judge: Judge;
  readonly random: Random;
  /** How long the file of the server's memory was when all was quiet last. */
  readonly quietBytes: number;
}

/** The names in Redis of the values of a key, and of a tag. */
export const entryOf = (key: string) => `roost:cache:app:e:{${encode(key)}}`;
const tagOf = (tag: string) => `roost:cache:app:t:{${encode(tag)}}`;

export const weather: Readonly<Record<WeatherName, (sky: Sky) => Promise<unknown>>> = {
  'kill-link': (sky) => killOne(sky, 'pubsub'),
  'kill-links': ({ server }) => server.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  'kill-data': (sky) => killOne(sky, 'normal'),
  // Reads travel on connections of their own.
  'kill-writes': async ({ server }) => {
    const list = String(await server.command('CLIENT', 'LIST', 'TYPE', 'normal'));
    const ids = Array.from(list.matchAll(/^id=(\d+).* cmd=(?:evalsha|eval|set) /gm), ([, id]) => id!);
    await Promise.all(ids.map((id) => server.command('CLIENT', 'KILL', 'ID', id).catch(() => undefined))); // as below
  },
  'kill-all': async ({ server }) => {
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
  },
  'foreign-del': (sky) => foreign(sky, 'DEL'),
  'foreign-set': (sky) => foreign(sky, 'SET', 'what is this?'),
  'foreign-expire': (sky) => foreign(sky, 'PEXPIRE', 3),
  // Everything is announced, and stays: all nodes look for it in Redis.
  'foreign-touch': ({ server }) =>
    Promise.all([...NAMES.map(entryOf), ...TAGS.map(tagOf)].map((name) => server.command('PEXPIRE', name, 600_000))),
  'evict-tag': ({ server, random }) => server.command('DEL', tagOf(random.pick(TAGS))),
  flushdb: ({ server }) => server.command('FLUSHDB'),
  'freeze-redis': async ({ server, random }) => {
    server.freeze();
    await sleep(random.skewed(20, 400));
    server.thaw();
  },
  'freeze-process': async ({ crew, random }) => {
    const index = random.between(0, crew.processes - 1);
    crew.signal(index, 'SIGSTOP');
    await sleep(random.skewed(20, 400));
    crew.signal(index, 'SIGCONT');
  },
  // What was written is in the hands of the system: nothing is lost.
  restart: async ({ server, random }) => {
    await server.kill();
    await sleep(random.between(0, 60));
    await server.restart();
  },
  'power-loss': async ({ server, random, judge, quietBytes }) => {
    judge.lost();
    await server.kill();
    const file = memoryOf(server);
    const { size } = statSync(file);
    truncateSync(file, random.between(Math.min(quietBytes, size), size));
    await server.restart();
  },
};

/** How long the file of the server's memory is, in bytes. */
export function memoryBytes(server: RedisServer): number {
  return statSync(memoryOf(server)).size;
}

function memoryOf(server: RedisServer): string {
  const folder = join(server.dir, 'appendonlydir');
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!,
  );
}

async function foreign({ server, random, judge }: Sky, command: string, ...rest: (string | number)[]): Promise<void> {
  const key = random.pick(NAMES);
  judge.note(`${command} by somebody else`, key);
  await server.command(command, entryOf(key), ...rest);
}

async function killOne({ server, random }: Sky, type: 'normal' | 'pubsub'): Promise<void> {
  const list = String(await server.command('CLIENT', 'LIST', 'TYPE', type));
  const ids = Array.from(list.matchAll(/^id=(\d+).* name=roost/gm), ([, id]) => id!);
  if (ids.length === 0) return;
  await server.command('CLIENT', 'KILL', 'ID', random.pick(ids)).catch(() => undefined); // it has gone by itself
}

function encode(text: string): string {
  return encodeURIComponent(text);
}
