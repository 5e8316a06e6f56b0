import { Body, Controller, Delete, Get, Header, Patch, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity } from '@nestjs/swagger';
import { InvalidRolloutError, RateLimitRollout, UnknownPolicyError, type RolloutReach } from '@roost/throttle';
import { InvalidRequestError } from '../../common/errors/index.js';
import { AdminGuard, ApiProblems } from '../../common/http/index.js';
import { rollout, rolloutChange } from './admin.schemas.js';
import type { Rollout, RolloutChange } from './admin.schemas.js';

/** Changes rate limits while the service runs: in this process at once, in the others within a second. */
@Controller('admin/rate-limits')
@UseGuards(AdminGuard)
@ApiSecurity('admin')
@ApiProblems(401, 403)
export class RolloutController {
  constructor(private readonly rollout: RateLimitRollout) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ standardSchema: rollout, description: 'What was changed at run time' })
  state(): Rollout {
    const { stopLoss, ...state } = this.rollout.state();
    return { ...state, stopLoss: stopLoss && { ...stopLoss, at: stopLoss.at.toISOString() } };
  }

  /** In the order in which they are written here; the first that makes no sense ends it. */
  @Patch()
  @ApiOkResponse({ standardSchema: rollout, description: 'What is changed now' })
  @ApiProblems(422)
  async change(@Body({ schema: rolloutChange }) change: RolloutChange): Promise<Rollout> {
    const { modes = {}, limits = {}, canaryPercent, paused } = change;
    for (const [policy, mode] of Object.entries(modes)) {
      await refusing(`modes.${policy}`, this.rollout.setMode(policy, mode));
    }
    for (const [policy, limit] of Object.entries(limits)) {
      await refusing(`limits.${policy}`, this.rollout.setLimit(policy, limit as never));
    }
    if (canaryPercent !== undefined) await this.rollout.setCanaryPercent(canaryPercent);
    if (paused !== undefined) await (paused ? this.rollout.pause() : this.rollout.resume());
    return this.state();
  }

  @Delete()
  @ApiOkResponse({ standardSchema: rollout, description: 'All is as configured' })
  async reset(): Promise<Rollout> {
    await this.rollout.reset();
    return this.state();
  }
}

/** What makes no sense is the operator's mistake. */
async function refusing(path: string, order: Promise<RolloutReach>): Promise<void> {
  try {
    await order;
  } catch (error) {
    if (!(error instanceof InvalidRolloutError || error instanceof UnknownPolicyError)) throw error;
    throw new InvalidRequestError([{ path, message: error.message }]);
  }
}
