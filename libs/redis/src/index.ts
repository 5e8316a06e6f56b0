// Module
export { RedisModule } from './redis.module.js';
export type { RedisConnectionOptions, RedisModuleOptions } from './redis.options.js';
export { getBackendToken, getRedisToken, InjectBackend, InjectRedis } from './redis.tokens.js';

// Connections and what features ask of them
export {
  Backend,
  servesByChoice,
  type BackendChange,
  type BackendMode,
  type BackendName,
  type BackendState,
} from './backend.js';
export { Commands, type CommandArg } from './commands.js';
export { PubSub, type MessageHandler, type PubSubGap } from './pubsub.js';
export { RedisConnection } from './redis-connection.js';
export type { Dedicated } from './dedicated.js';
export { Tracking } from './tracking.js';
export type { TrackedServer, TrackingListener, TrackingMode, TrackingOptions } from './tracking.options.js';
export { RedisConnections } from './redis-connections.js';
export { parseRedisUrl, type RedisAddress } from './connection-url.js';
export type { CommandMessage } from './redis-commands.js';

// Keys and scripts
export { defineKey, Key, type KeyDefinition, type KeyOptions, type KeyParts } from './key.js';
export { defineScript, type ByName, type Script, type ScriptArg } from './script.js';
export { redisKeys } from './redis.keys.js';
export { Gathering } from './gathering.js';
export { outsideRequests } from './outside-requests.js';
export { defined } from './defined.js';
export { digest, shareOf } from './digest.js';
export { show, toMs, type Duration } from './duration.js';

// Decorators
export { methodsOf, resembling, type DecoratedMethod } from './decorated-methods.js';

// Metrics and health, which every lib contributes to
export { LATENCY_BUCKETS, Metrics } from './metrics.js';
export type { Counter, Histogram } from './instruments.js';
export { HealthRegistry, type HealthReport } from './health.registry.js';

// Errors
export { classifyError, stops, type ErrorClass } from './error-class.js';
export {
  CrossSlotError,
  InvalidKeyError,
  InvalidOptionsError,
  isRedisUnavailable,
  RedisNotConfiguredError,
  RedisReplyError,
  RedisRequiredError,
  RedisTimeoutError,
  RedisUnavailableError,
  RoostError,
} from './redis.errors.js';
