import { Module } from '@nestjs/common';
import { HealthModule } from '@roost/health';
import { RedisModule } from '@roost/redis';
import { ThrottleModule } from '@roost/throttle';
import { CONFIG, ConfigModule, type Config } from './common/config/index.js';
import { AccountsModule } from './modules/accounts/accounts.module.js';
import { AdminModule } from './modules/admin/admin.module.js';
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
    ThrottleModule.forRootAsync({ inject: [CONFIG], useFactory: throttleOptions }),

    // The car rental
    AccountsModule,
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
function connectionBackend({ ROOST_BACKEND, RATE_LIMIT_BACKEND }: Config): Config['ROOST_BACKEND'] {
  return ROOST_BACKEND === 'memory' ? (RATE_LIMIT_BACKEND ?? 'memory') : ROOST_BACKEND;
}

/** A process that is started anew at every change has no balancer to wait for. */
function healthOptions({ ROOST_DRAIN_MS, NODE_ENV }: Config) {
  return { drainMs: ROOST_DRAIN_MS ?? (NODE_ENV === 'production' ? 5_000 : 0), processMetrics: true };
}
