import { ConsoleLogger, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisConnections, RedisModule, type RedisConnection, type RedisModuleOptions } from '@roost/redis';
import { resolve } from 'node:path';
import { PresenceModule } from './presence.module.js';
import type { PresenceOptions } from './presence.options.js';
import { PresenceRoom } from './presence.room.js';
import type { PresenceService } from './presence.service.js';
import type { PresenceEvent } from './watching/presence.event.js';

/** Short, so that a test can wait for the end of it. */
export const QUICK: PresenceOptions = { goneAfter: 600, lease: 600, typing: 200 };

/** An application with presence: several of them are several processes, as far as presence knows. */
export interface PresenceApp {
  readonly app: INestApplicationContext;
  readonly presence: PresenceService;
  readonly room: PresenceRoom;
  readonly redis: RedisConnection;
  close(): Promise<void>;
}

/** What was warned of, by whichever application: Nest has one logger for all. */
export const logged: string[] = [];

/** A logger that keeps what it is told. */
export function quietLogger(): ConsoleLogger {
  const logger = new ConsoleLogger({ logLevels: [] });
  logger.warn = logger.error = (message: unknown) => void logged.push(String(message));
  return logger;
}

/** The modules of an application with presence. */
export function presenceModules(redis: RedisModuleOptions, options: PresenceOptions) {
  return [
    RedisModule.forRoot({ commandTimeoutMs: 1_000, recheckMs: 50, ...redis }),
    PresenceModule.forRoot({ ...QUICK, ...options }),
  ];
}

/** Opens an application, which the store knows once this resolves. */
export async function openApp(redis: RedisModuleOptions, options: PresenceOptions = {}): Promise<PresenceApp> {
  class Node {}
  const app = await NestFactory.createApplicationContext(
    { module: Node, imports: presenceModules(redis, options) },
    { logger: quietLogger(), abortOnError: false },
  );
  const room = app.get(PresenceRoom);
  await room.node.beat();
  const redisConnection = app.get(RedisConnections).get('default');
  return { app, room, presence: room.service, redis: redisConnection, close: () => app.close() };
}

/** What watchers of a room are told. */
export class Watcher {
  readonly events: PresenceEvent[] = [];
  readonly users = new Set<string>();
  readonly #subscription;

  constructor(presence: PresenceService, room: string, since?: number) {
    this.#subscription = presence.watch(room, since).subscribe((event) => {
      this.events.push(event);
      if (event.state) this.users.clear();
      for (const { userId } of event.joins) this.users.add(userId);
      for (const { userId } of event.leaves) this.users.delete(userId);
    });
  }

  /** Who came, one after the other, without those who were there from the beginning. */
  get joins(): string[] {
    return this.events.filter(({ state }) => !state).flatMap(({ joins }) => joins.map(({ userId }) => userId));
  }

  get leaves(): string[] {
    return this.events.flatMap(({ leaves }) => leaves.map(({ userId }) => userId));
  }

  get sorted(): string[] {
    return [...this.users].sort();
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }
}

/** Runs in another process, with `load` for the sources of this lib, as the compiler of the tests reads them. */
export function childScript(body: string): string {
  return `
const { transformFileSync } = require('@swc/core');
const Module = require('node:module');
const resolveName = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => {
  const lib = /^@roost\\/(\\w+)$/.exec(name);
  if (lib) return require('node:path').resolve('libs', lib[1], 'src/index.ts');
  try { return resolveName(name, ...rest); } catch (error) {
    if (name.startsWith('.')) return resolveName(name.replace(/\\.js$/, '.ts'), ...rest);
    throw error;
  }
};
Module._extensions['.ts'] = (module, file) => {
  const jsc = { parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true }, target: 'es2022' };
  module._compile(transformFileSync(file, { jsc, module: { type: 'commonjs' }, swcrc: false }).code, file);
};
const load = (path) => require(${JSON.stringify(resolve('libs/presence/src'))} + '/' + path);
(async () => {${body}})().catch((error) => { process.stderr.write(String(error.stack)); process.exit(1); });
`;
}
