import { OutageError } from '../database/outage.js';
import { QueueClosedError, QueueUnavailableError } from '../queue.errors.js';
import { askWithin, isOutage, within } from './deadline.js';

const coded = (code: unknown, message = 'no') => Object.assign(new Error(message), { code });

describe('what a store answers', () => {
  it.each([
    ['Redis is gone', new Error('Connection is closed.')],
    ['Redis is full', new Error('OOM command not allowed')],
    ['the network', coded('ECONNREFUSED')],
    ['a pool that is lost', new OutageError('timeout', true)],
    ['Postgres shuts down', coded('57P01')],
    ['Postgres cannot serialise', coded('40001')],
    ['a store that said so itself', new QueueUnavailableError('emails', 'gone', false)],
  ])('is an outage: %s', (_, error) => expect(isOutage(error)).toBe(true));

  it.each([
    ['a key of another type', Object.assign(new Error('WRONGTYPE Operation against a key'), { name: 'ReplyError' })],
    ['a function that is not there', coded('42883')],
    ['a value that Postgres refuses', coded('22P05')],
    ["an answer of BullMQ's scripts", coded(-5, 'Missing key for parent job')],
    ['a mistake', new TypeError('no')],
  ])('is no outage: %s', (_, error) => expect(isOutage(error)).toBe(false));
});

describe('asking a store', () => {
  const never = new Promise<never>(() => {});

  it('ends in time, and says that the outcome is unknown', async () => {
    const ask = askWithin('emails', 20, () => undefined);
    await expect(ask(() => never)).rejects.toMatchObject({ code: 'queue.unavailable', outcomeUnknown: true });
    expect(await ask(async () => 7)).toBe(7);
  });

  it('is not done when it is known to be lost', async () => {
    const question = jest.fn();
    await expect(askWithin('emails', 20, () => 'timeout')(question)).rejects.toMatchObject({ outcomeUnknown: false });
    expect(question).not.toHaveBeenCalled();
  });

  it('passes on what is no outage, and that the queue is closed', async () => {
    const ask = askWithin('emails', 20, () => undefined);
    await expect(ask(() => Promise.reject(new TypeError('no')))).rejects.toBeInstanceOf(TypeError);
    await expect(ask(() => Promise.reject(new QueueClosedError('emails')))).rejects.toBeInstanceOf(QueueClosedError);
  });

  it('leaves nobody to hear of what fails too late', async () => {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('late')), 30));
    await expect(within(10, late)).rejects.toThrow('no answer within 10 ms');
    await new Promise((resolve) => setTimeout(resolve, 40)); // an unhandled rejection would end the process
  });
});
