import { Inject, Injectable } from '@nestjs/common';
import { CacheService } from '@roost/cache';
import { Backend, HealthRegistry } from '@roost/redis';
import { RateLimitRollout } from '@roost/throttle';
import { CONFIG, VERSION, type Config } from '../../common/config/index.js';
import { policies, tiers } from '../throttle/index.js';
import type { AdminState } from './admin.schemas.js';

/** What operators want to see of a running service. */
@Injectable()
export class AdminService {
  constructor(
    private readonly backend: Backend,
    private readonly rollout: RateLimitRollout,
    private readonly cache: CacheService,
    private readonly health: HealthRegistry,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  state(): AdminState {
    return {
      version: VERSION,
      uptimeSeconds: Math.round(process.uptime()),
      backend: this.backend.state(),
      rateLimits: {
        mode: this.config.RATE_LIMIT_BACKEND ?? this.config.ROOST_BACKEND,
        canaryPercent: this.rollout.state().canaryPercent,
        replicas: this.config.ROOST_REPLICAS,
        policies: limits(),
        tiers,
      },
      cache: this.cache.stats(),
      health: this.health.reports(),
    };
  }
}

function limits(): AdminState['rateLimits']['policies'] {
  return [
    ...policies.login.map(({ name, limit, window }) => ({ policy: `login.${name}`, limit, window })),
    { policy: 'quotes', limit: policies.quotes.limit },
  ];
}
