import { Module } from '@nestjs/common';
import { QueueModule, type QueueOptions } from '@roost/queue';
import { Clock } from '../../common/clock.js';
import { BookingsModule } from '../bookings/bookings.module.js';
import { EmailsJobs } from './emails.jobs.js';
import { confirmation, EMAILS } from './emails.schemas.js';
import { Mailer } from './mailer.js';

const queue: QueueOptions = {
  jobs: { confirm: confirmation, digest: true },
  // A mail server that says a word now and then would hold up a job for as long as it likes.
  defaults: { timeout: '60s' },
};

/** E-mails, written by jobs. */
@Module({
  imports: [BookingsModule, QueueModule.registerQueue(EMAILS, queue)],
  providers: [EmailsJobs, Mailer, Clock],
})
export class EmailsModule {}
