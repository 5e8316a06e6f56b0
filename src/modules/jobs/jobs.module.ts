import { Module } from '@nestjs/common';
import { JobsController } from './jobs.controller.js';

/** What became of jobs. */
@Module({ controllers: [JobsController] })
export class JobsModule {}
