import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { CacheModule } from '@roost/cache';
import { HealthModule } from '@roost/health';
import { QueueModule } from '@roost/queue';
import { LockModule, type LockOptions } from '@roost/lock';
import { PresenceModule } from '@roost/presence';
import { RedisModule } from '@roost/redis';
import { SessionModule, Sessions } from '@roost/session';
import { RateLimiter, ThrottleModule } from '@roost/throttle';
import { CONFIG, ConfigModule, type Config } from './common/config/index.js';
import { Database, DatabaseModule } from './common/database/index.js';
import { GraphqlDriver, graphqlOptions } from './common/graphql/index.js';
import { AccountsModule } from './modules/accounts/accounts.module.js';
import { sessionOptions } from './modules/accounts/index.js';
import { AdminModule } from './modules/admin/admin.module.js';
import { BookingsModule } from './modules/bookings/bookings.module.js';
import { bookingsMigrations } from './modules/bookings/index.js';
import { CatalogueModule } from './modules/catalogue/catalogue.module.js';
import { cacheOptions, catalogueMigrations } from './modules/catalogue/index.js';
import { ChatModule } from './modules/chat/chat.module.js';
import { presenceOptions } from './modules/chat/index.js';
import { EmailsModule } from './modules/emails/emails.module.js';
import { queueOptions } from './modules/jobs/index.js';
import { JobsModule } from './modules/jobs/jobs.module.js';
import { QuotesModule } from './modules/quotes/quotes.module.js';
import { throttleOptions } from './modules/throttle/index.js';

/** The whole service on one page. */
@Module({
  imports: [
    // What everything stands on
    ConfigModule,
    RedisModule.forRootAsync({
      inject: [CONFIG],
      useFactory: (config: Config) => ({
        url: config.REDIS_URL,
        tls: config.REDIS_TLS || undefined,
        passwordFile: config.REDIS_PASSWORD_FILE,
        backend: connectionBackend(config),
        commandTimeoutMs: config.ROOST_COMMAND_TIMEOUT_MS,
        recheckMs: config.ROOST_RECHECK_MS,
        keyPrefix: config.ROOST_KEY_PREFIX,
        production: config.NODE_ENV === 'production',
      }),
    }),
    DatabaseModule.forRoot([...bookingsMigrations, ...catalogueMigrations]),
    LockModule.forRootAsync({ inject: [CONFIG, Database], useFactory: lockOptions }),
    ThrottleModule.forRootAsync({ inject: [CONFIG], useFactory: throttleOptions }),
    CacheModule.forRootAsync({ inject: [CONFIG], useFactory: cacheOptions }),
    QueueModule.forRootAsync({ inject: [CONFIG, Database], useFactory: queueOptions }),
    SessionModule.forRootAsync({ inject: [CONFIG], useFactory: sessionOptions }),
    PresenceModule.forRootAsync({ inject: [CONFIG, Sessions, RateLimiter], useFactory: presenceOptions }),
    GraphQLModule.forRootAsync({ driver: GraphqlDriver, inject: [CONFIG], useFactory: graphqlOptions }),

    // The car rental
    AccountsModule,
    BookingsModule,
    CatalogueModule,
    ChatModule,
    EmailsModule,
    JobsModule,
    QuotesModule,

    // Operations; health comes last, so that it is the first to know of a shutdown
    AdminModule,
    HealthModule.forRootAsync({
      inject: [CONFIG],
      useFactory: healthOptions,
    }),
  ],
})
export class AppModule {}

/** The connection stays closed only when no feature wants Redis: each feature may differ from ROOST_BACKEND. */
function connectionBackend({ ROOST_BACKEND, ...features }: Config): Config['ROOST_BACKEND'] {
  if (ROOST_BACKEND !== 'memory') return ROOST_BACKEND;
  const { QUEUE_BACKEND } = features;
  const queue = QUEUE_BACKEND === 'postgres' ? 'memory' : QUEUE_BACKEND;
  const wanted = [
    features.CACHE_BACKEND,
    features.PRESENCE_BACKEND,
    features.LOCK_BACKEND,
    features.RATE_LIMIT_BACKEND,
    queue === 'auto' ? undefined : queue,
  ];
  return wanted.find((backend) => backend === 'redis') ?? wanted.find((backend) => backend === 'auto') ?? 'memory';
}

/** The database that keeps what locks protect decides about them when Redis cannot. */
function lockOptions({ LOCK_BACKEND, NODE_ENV, DATABASE_URL }: Config, { db: guard }: Database): LockOptions {
  const production = NODE_ENV === 'production';
  // A database that is forgotten at the end cannot say whether Redis was used before.
  return { backend: LOCK_BACKEND, guard, production, assumeFresh: !production || DATABASE_URL === 'memory:' };
}

/** A process that is started anew at every change has no balancer to wait for. */
function healthOptions({ ROOST_DRAIN_MS, NODE_ENV }: Config) {
  return { drainMs: ROOST_DRAIN_MS ?? (NODE_ENV === 'production' ? 5_000 : 0), processMetrics: true };
}
