import { StreamConsumer, writtenStreamConsumersOf } from './stream-consumer.decorator.js';
import { resolveStreamConsumer, type StreamConsumerOptions } from './stream-consumer.options.js';
import type { StreamMessage } from './stream-message.js';

describe('@StreamConsumer', () => {
  it('writes down what a method reads, and leaves the method alone', async () => {
    class Mailer {
      @StreamConsumer('booking_emails', { group: 'mailer' })
      @StreamConsumer('reminders', { group: 'mailer', concurrency: 4 })
      send({ id }: StreamMessage) {
        return Promise.resolve(id);
      }
    }
    expect(writtenStreamConsumersOf(new Mailer().send)).toEqual([
      { stream: 'reminders', options: { group: 'mailer', concurrency: 4 } },
      { stream: 'booking_emails', options: { group: 'mailer' } },
    ]);
    expect(writtenStreamConsumersOf(Mailer)).toEqual([]);
    expect(await new Mailer().send({ id: '1-0' } as StreamMessage)).toBe('1-0');
  });

  it('has defaults', () => {
    expect(resolveStreamConsumer('s', { group: 'g' })).toEqual({
      stream: 's',
      group: 'g',
      concurrency: 1,
      batch: 64,
      maxDeliveries: 5,
      minIdleMs: 60_000,
      backoffMs: 1_000,
      deadLetter: 's:dead',
      deadLetterMaxLen: 100_000,
      from: '0',
      remove: true,
    });
  });

  it.each([
    ['', { group: 'g' }, /`stream` to be a text/],
    ['s', undefined, /`group` to be a text/],
    ['s', { group: '' }, /`group` to be a text/],
    ['s', { group: 'g', grup: 1 }, /no option `grup`/],
    ['s', { group: 'g', concurrency: 0 }, /`concurrency` to be a positive integer/],
    ['s', { group: 'g', batch: 1.5 }, /`batch` to be a positive integer/],
    ['s', { group: 'g', maxDeliveries: '5' }, /`maxDeliveries` to be a positive integer/],
    ['s', { group: 'g', minIdle: 'soon' }, /`minIdle`: Expected a duration/],
    ['s', { group: 'g', minIdle: 5 }, /`minIdle` to be at least 100 ms/],
    ['s', { group: 'g', from: '5-0' }, /`from` to be '0' or '\$'/],
    ['s', { group: 'g', remove: 1 }, /`remove` to be true or false/],
    ['s', { group: 'g', deadLetter: 's' }, /`deadLetter` to be another stream/],
    ['s', { group: 'g', schema: {} }, /`schema` to be one of/],
    ['s', { group: 'g', timeout: 0 }, /`timeout`: Expected a duration/],
  ])('refuses %j %j where it is written', (stream, options, problem) => {
    expect(() => StreamConsumer(stream, options as StreamConsumerOptions)).toThrow(problem);
  });

  it('names all problems at once', () => {
    const wrong = { group: '', batch: 0, backoff: 'x' } as unknown as StreamConsumerOptions;
    expect(() => StreamConsumer('s', wrong)).toThrow(/`group`[^]*`batch`[^]*`backoff`/);
  });
});
