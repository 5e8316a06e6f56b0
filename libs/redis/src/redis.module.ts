import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Announcer } from './announcer.js';
import { Backend } from './backend.js';
import { RedisMetrics } from './connection-metrics.js';
import { HealthRegistry } from './health.registry.js';
import { Metrics } from './metrics.js';
import { PubSub } from './pubsub.js';
import { RedisConnection } from './redis-connection.js';
import { RedisConnections } from './redis-connections.js';
import { ASYNC_OPTIONS_TYPE, ConfigurableModuleClass, OPTIONS_TYPE, REDIS_OPTIONS } from './redis.module-definition.js';
import { resolveRedisOptions, type RedisModuleOptions } from './redis.options.js';
import { getBackendToken, getRedisToken } from './redis.tokens.js';

const connections: FactoryProvider<RedisConnections> = {
  provide: RedisConnections,
  inject: [REDIS_OPTIONS, Metrics, HealthRegistry],
  // Nothing is awaited here: the application starts with or without Redis.
  useFactory: (options: RedisModuleOptions, metrics: Metrics, health: HealthRegistry) => {
    const resolved = resolveRedisOptions(options);
    const logger = new Logger('Redis');
    const announcer = new Announcer(logger, resolved.production);
    const context = { ...resolved, announcer, logger, metrics: new RedisMetrics(metrics) };
    const all = [...resolved.connections].map(([name, each]) => new RedisConnection(name, each, context));
    for (const { name, backend } of all) {
      health.contribute(name === 'default' ? 'redis' : `redis:${name}`, () => ({
        status: backend.current === 'redis' || backend.mode === 'memory' || !backend.configured ? 'up' : 'degraded',
        ...backend.state(),
      }));
    }
    return new RedisConnections(new Map(all.map((connection) => [connection.name, connection])), announcer);
  },
};

/** Connections to Redis and everything that the other libs of Roost stand on. Global. */
@Module({
  providers: [
    Metrics,
    HealthRegistry,
    connections,
    { provide: Backend, inject: [RedisConnections], useFactory: (all: RedisConnections) => all.get().backend },
    { provide: PubSub, inject: [RedisConnections], useFactory: (all: RedisConnections) => all.get().pubsub },
  ],
  exports: [Metrics, HealthRegistry, RedisConnections, Backend, PubSub],
})
export class RedisModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  constructor(private readonly connections: RedisConnections) {
    super();
  }

  static forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return withTokens(super.forRoot(options), Object.keys(options.connections ?? {}));
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return withTokens(super.forRootAsync(options), options.connectionNames ?? []);
  }

  onModuleInit(): void {
    for (const connection of this.connections.all()) connection.open();
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all(this.connections.all().map((connection) => connection.boot()));
  }

  /** Only here: before this the HTTP server still answers requests, which need Redis. */
  async onApplicationShutdown(): Promise<void> {
    await this.connections.close();
  }
}

function withTokens(module: DynamicModule, names: readonly string[]): DynamicModule {
  const providers = ['default', ...names].flatMap((name): FactoryProvider[] => [
    {
      provide: getRedisToken(name),
      inject: [RedisConnections],
      useFactory: (all: RedisConnections) => all.get(name).raw,
    },
    {
      provide: getBackendToken(name),
      inject: [RedisConnections],
      useFactory: (all: RedisConnections) => all.get(name).backend,
    },
  ]);
  return {
    ...module,
    providers: [...(module.providers ?? []), ...providers],
    exports: [...(module.exports ?? []), ...providers.map(({ provide }) => provide)],
  };
}
