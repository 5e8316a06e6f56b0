import { Logger } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import type { BookingsService } from '../bookings/index.js';
import { EmailUnsentError } from './emails.errors.js';
import { EmailsJobs } from './emails.jobs.js';
import { Mailer, type Email } from './mailer.js';

class StoppedClock extends Clock {
  override now(): number {
    return Date.parse('2026-03-03T09:00:00Z');
  }
}

class NotingMailer extends Mailer {
  readonly written: Email[] = [];

  override write(email: Email) {
    this.written.push(email);
    return super.write(email);
  }
}

describe('e-mails', () => {
  const mailer = new NotingMailer({ MAIL_FROM: 'rental@here.example' });
  const madeOn = async (day: string) =>
    day === '2026-03-01' ? [{ id: 'b1', carId: 'car-1', from: '2026-04-01', to: '2026-04-03' }] : [];
  const jobs = new EmailsJobs(mailer, { madeOn } as BookingsService, new StoppedClock(), {
    MAIL_DESK: 'desk@here.example',
  });

  beforeAll(() => Logger.overrideLogger(false));
  afterEach(() => void mailer.written.splice(0));
  afterAll(() => {
    mailer.onApplicationShutdown();
    Logger.overrideLogger(true);
  });

  it('digests the day before the one on which the digest was due, however late it is', async () => {
    expect(await jobs.sendDigest({ opts: { prevMillis: Date.parse('2026-03-02T08:00:00Z') } })).toEqual({
      messageId: '<digest-2026-03-01@here.example>',
    });
    expect(mailer.written).toEqual([
      {
        id: 'digest-2026-03-01',
        to: 'desk@here.example',
        subject: 'Bookings made on 2026-03-01: 1',
        text: 'car-1, 2026-04-01 to 2026-04-03\n',
      },
    ]);
  });

  it('digests yesterday when somebody asks for it by hand', async () => {
    await jobs.sendDigest({ opts: {} });
    expect(mailer.written).toEqual([expect.objectContaining({ id: 'digest-2026-03-02', text: 'None.\n' })]);
  });

  it('writes to the desk about a booking without an address, and each time by the same id', async () => {
    const confirmation = { bookingId: 'b1', carId: 'car-1', from: '2026-04-01', to: '2026-04-03' };
    const first = await jobs.confirm(confirmation);
    expect(await jobs.confirm({ ...confirmation, email: 'ann@there.example' })).toEqual(first);
    expect(mailer.written.map(({ to }) => to)).toEqual(['desk@here.example', 'ann@there.example']);
  });

  it('says why an e-mail was not taken, and nothing of what the server said', async () => {
    const refusing = new Mailer({ SMTP_URL: 'smtp://ann:hunter2@127.0.0.1:1', MAIL_FROM: 'rental@here.example' });
    const email = { id: 'x', to: 'ann@there.example', subject: 's', text: 't' };
    await expect(refusing.write(email)).rejects.toThrow(
      'The mail server (SMTP_URL) did not take an e-mail: ECONNREFUSED at CONN.',
    );
    refusing.onApplicationShutdown();
    const login = Object.assign(new Error('535 ann: hunter2 is wrong'), {
      code: 'EAUTH',
      responseCode: 535,
      command: 'AUTH',
    });
    expect(new EmailUnsentError(login).message).toContain('e-mail: EAUTH 535 at AUTH.');
    expect(new EmailUnsentError(new Error('hunter2')).message).toContain('e-mail: unknown.');
  });
});
