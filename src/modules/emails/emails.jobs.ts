import { Inject } from '@nestjs/common';
import { CurrentJob, JobData, JobHandler, JobSchedule, JobWorker } from '@roost/queue';
import { Clock } from '../../common/clock.js';
import { CONFIG, type Config } from '../../common/config/index.js';
import { BookingsService } from '../bookings/index.js';
import { EMAILS, type Confirmation, type Written } from './emails.schemas.js';
import { Mailer } from './mailer.js';

const DAY_MS = 86_400_000;

/** Of a job that a schedule has added: when it was due. */
interface Scheduled {
  readonly opts: { readonly prevMillis?: number };
}

/** What the service writes to people. */
@JobWorker(EMAILS)
export class EmailsJobs {
  constructor(
    private readonly mailer: Mailer,
    private readonly bookings: BookingsService,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAIL_DESK'>,
  ) {}

  /** To whoever booked. */
  @JobHandler('confirm')
  confirm(@JobData() { bookingId, carId, from, to, email }: Confirmation): Promise<Written> {
    return this.mailer.write({
      id: `booking-${bookingId}`,
      to: email ?? this.config.MAIL_DESK,
      subject: `Your booking of ${carId}, ${from} to ${to}`,
      text: `The car ${carId} is yours from ${from}. Please bring it back on ${to}.\n\nBooking ${bookingId}\n`,
    });
  }

  /** To the desk, each morning: what was booked the day before, also when it is late, or tried again on another day. */
  @JobHandler('digest')
  @JobSchedule('0 8 * * *', { timezone: 'UTC' })
  async sendDigest(@CurrentJob() { opts }: Scheduled): Promise<Written> {
    const yesterday = new Date((opts.prevMillis ?? this.clock.now()) - DAY_MS).toISOString().slice(0, 10);
    const made = await this.bookings.madeOn(yesterday);
    return this.mailer.write({
      id: `digest-${yesterday}`,
      to: this.config.MAIL_DESK,
      subject: `Bookings made on ${yesterday}: ${made.length}`,
      text: made.map(({ carId, from, to }) => `${carId}, ${from} to ${to}\n`).join('') || 'None.\n',
    });
  }
}
