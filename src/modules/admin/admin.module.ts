import { Module } from '@nestjs/common';
import { AdminController } from './admin.controller.js';
import { RolloutController } from './rollout.controller.js';
import { AdminService } from './admin.service.js';

/** What operators see and do. */
@Module({ controllers: [AdminController, RolloutController], providers: [AdminService] })
export class AdminModule {}
