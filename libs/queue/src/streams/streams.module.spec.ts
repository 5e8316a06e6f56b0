import { Test } from '@nestjs/testing';
import { HealthRegistry, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { openBed } from '../queue.testbed.js';
import { JobHandler, JobWorker } from '../workers/job-handler.decorator.js';
import { StreamConsumer } from './stream-consumer.decorator.js';
import type { StreamMessage } from './stream-message.js';
import { JobStreams } from './stream-producer.js';

const received: unknown[] = [];

class Mails {
  @StreamConsumer('booking_emails', { group: 'mailer' })
  mail({ data, deliveries }: StreamMessage) {
    received.push([data, deliveries]);
  }
}

describe('streams in an application', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  beforeEach(() => received.splice(0));
  afterAll(() => server.stop());

  it('hand messages of others, and our own, to the method, once', async () => {
    await server.command('XADD', 'booking_emails', '*', 'to', 'ada', 'lang', 'python');
    const { app } = await openBed({ url: server.url, providers: [Mails] });
    await app.get(JobStreams).add('booking_emails', { to: 'bob' });
    await eventually(() => received.length === 2, { within: 3_000 });
    expect(received).toEqual([
      [{ to: 'ada', lang: 'python' }, 1],
      [{ to: 'bob' }, 1],
    ]);
    expect(app.get(HealthRegistry).reports()['streams']).toMatchObject({ status: 'up' });
    await app.close();
    expect(await server.command('XPENDING', 'booking_emails', 'mailer')).toEqual([0, null, null, null]);
  });

  it('are not read by a process that runs no jobs', async () => {
    const { app } = await openBed({ url: server.url, providers: [Mails], module: { workers: false } });
    await app.get(JobStreams).add('booking_emails', { to: 'nobody' });
    await app.close();
    expect(received).toEqual([]);
  });

  it('let an application start without a Redis, and say that they are not read', async () => {
    const { app, log } = await openBed({ providers: [Mails] });
    expect(log.filter((line) => /booking_emails/.test(line))).toHaveLength(1);
    await app.close();
  });

  it('and jobs are not handled in silence by nobody: without the module the boot fails', async () => {
    @JobWorker('emails')
    class Jobs {
      @JobHandler('send')
      send() {}
    }
    for (const provider of [Mails, Jobs]) {
      const built = Test.createTestingModule({ imports: [RedisModule.forRoot({})], providers: [provider] }).compile();
      await expect(built).rejects.toThrow('import QueueModule.forRoot() in the root module');
    }
  });
});
