import { Module } from '@nestjs/common';
import { QueueModule } from '@roost/queue';
import { Clock } from '../../common/clock.js';
import { BookingsModule } from '../bookings/bookings.module.js';
import { EmailsJobs } from './emails.jobs.js';
import { confirmation, EMAILS } from './emails.schemas.js';
import { Mailer } from './mailer.js';

/** E-mails, written by jobs. */
@Module({
  imports: [BookingsModule, QueueModule.registerQueue(EMAILS, { jobs: { confirm: confirmation, digest: true } })],
  providers: [EmailsJobs, Mailer, Clock],
})
export class EmailsModule {}
