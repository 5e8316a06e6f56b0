import { Announcer } from './announcer.js';
import { RedisMetrics } from './connection-metrics.js';
import type { Commands } from './commands.js';
import { Key } from './key.js';
import { Metrics } from './metrics.js';
import { RedisConnection } from './redis-connection.js';
import { resolveRedisOptions, type RedisModuleOptions } from './redis.options.js';
import { defineScript } from './script.js';
import type { TrackingListener, TrackingOptions } from './tracking.options.js';

/** Runs scripts with another text: for tests that have to notice what was taken out of one. */
export class MutatedCommands implements Commands {
  readonly read: Commands['read'];
  readonly readBytes: Commands['readBytes'];
  readonly write: Commands['write'];
  readonly pipeline: Commands['pipeline'];
  readonly run: Commands['run'];

  constructor(commands: Commands, mutate: (lua: string, script: { readonly readOnly: boolean }) => string) {
    this.read = commands.read.bind(commands);
    this.readBytes = commands.readBytes.bind(commands);
    this.write = commands.write.bind(commands);
    this.pipeline = commands.pipeline.bind(commands);
    this.run = (script, keys, args) => {
      const lua = mutate(script.lua, script);
      const { sha1 } = defineScript(script.name, { keys: ['any...'], args: ['any...'], reply: script.reply, lua });
      return commands.run({ ...script, lua, sha1 }, keys, args);
    };
  }
}

/** A line that was logged. */
export interface LoggedLine {
  readonly level: 'log' | 'warn' | 'error';
  readonly message: string;
  readonly details: Record<string, unknown>;
}

/** A connection as the module makes it, without a module; what it logs is kept. */
export async function connect(options: RedisModuleOptions) {
  const metrics = new Metrics();
  const logged: LoggedLine[] = [];
  const at = (level: LoggedLine['level']) => (message: string, details: Record<string, unknown>) =>
    void logged.push({ level, message, details });
  const resolved = resolveRedisOptions(options);
  const logger = { log: at('log'), warn: at('warn'), error: at('error') };
  const announcer = new Announcer(logger, resolved.production);
  const connection = new RedisConnection('default', resolved.connections.get('default')!, {
    ...resolved,
    announcer,
    logger,
    metrics: new RedisMetrics(metrics),
  });
  connection.open();
  await connection.boot();
  const { backend, pubsub } = connection;
  const close = () => {
    announcer.close();
    return connection.close();
  };
  return { connection, backend, pubsub, commands: backend.commands, metrics, logged, close };
}

/** What {@link connect} gives. */
export type Connected = Awaited<ReturnType<typeof connect>>;

/** Tracks keys under `test:e:` and `test:t:`, and keeps what was said: moments in order, and the names of keys. */
export function track(connection: RedisConnection, options: Partial<TrackingOptions & TrackingListener> = {}) {
  const moments: string[] = [];
  const keys: string[] = [];
  const runIds: (string | undefined)[] = [];
  const say = (moment: 'flushed' | 'lost' | 'coherent') => () => {
    moments.push(moment);
    options[moment]?.();
  };
  const listener: TrackingListener = {
    changed: (names) => {
      keys.push(...names);
      options.changed?.(names);
    },
    flushed: say('flushed'),
    lost: say('lost'),
    coherent: say('coherent'),
    prepare: async (server) => {
      runIds.push(server.runId);
      await options.prepare?.(server);
    },
  };
  const tracking = connection.track({
    prefixes: ['test:e:', 'test:t:'],
    probe: new Key('test:e:~', 'test:e:~'),
    channel: 'test-changes',
    listener,
    ...options,
  });
  return { tracking, moments, keys, runIds };
}
