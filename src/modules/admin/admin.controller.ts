import { Controller, Delete, Get, Header, Param, Query, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity } from '@nestjs/swagger';
import { CacheService } from '@roost/cache';
import { RateLimiter } from '@roost/throttle';
import { AdminGuard, ApiProblems } from '../../common/http/index.js';
import { adminState, cacheInvalidated, cacheRequest, limitsCleared } from './admin.schemas.js';
import type { AdminState, CacheInvalidated, CacheRequest, LimitsCleared } from './admin.schemas.js';
import { AdminService } from './admin.service.js';

/** For operators, with the header `x-admin-token`; closed without a configured token. */
@Controller('admin')
@UseGuards(AdminGuard)
@ApiSecurity('admin')
@ApiProblems(401, 403)
export class AdminController {
  constructor(
    private readonly admin: AdminService,
    private readonly limiter: RateLimiter,
    private readonly cache: CacheService,
  ) {}

  @Get('state')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ standardSchema: adminState, description: 'Which backend serves, and which limits apply' })
  state(): AdminState {
    return this.admin.state();
  }

  /** The subject is a user id, an API key or an address: whatever a limit counted it as is forgotten. */
  @Delete('limits/:subject')
  @ApiOkResponse({ standardSchema: limitsCleared, description: 'The limits of this subject begin anew' })
  async clearLimits(@Param('subject') subject: string): Promise<LimitsCleared> {
    return { cleared: await this.limiter.reset(subject) };
  }

  /** What has the tag is not served any more, by any process. */
  @Delete('cache')
  @ApiOkResponse({ standardSchema: cacheInvalidated, description: 'Nothing with this tag is served any more' })
  @ApiProblems(422)
  async invalidate(@Query({ schema: cacheRequest }) { tag }: CacheRequest): Promise<CacheInvalidated> {
    await this.cache.invalidateTags(tag);
    return { invalidated: tag };
  }
}
