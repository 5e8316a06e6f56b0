import { ConflictException, HttpException, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { LockBusyError, LockQuarantineError } from '@roost/lock';
import { RedisReplyError, RedisTimeoutError, RoostError } from '@roost/redis';
import { DrizzleQueryError } from 'drizzle-orm';
import { answerTo, InvalidRequestError } from './index.js';

class BusyError extends RoostError {
  static override readonly code: string = 'lock.busy';
  override readonly httpStatus: number = 409;
  override readonly retryAfterMs: number = 1_001;
}

describe('answerTo', () => {
  it('tells an error of Roost by its code, status and Retry-After in whole seconds', () => {
    expect(answerTo(new BusyError('Car 7 is being booked.'))).toEqual({
      problem: {
        type: 'urn:roost:error:lock.busy',
        title: 'Conflict',
        status: 409,
        detail: 'Car 7 is being booked.',
        errorCode: 'lock.busy',
      },
      headers: { 'Retry-After': '2' },
      unexpected: false,
    });
  });

  it('keeps the internals of an outage from the client', () => {
    const { problem, headers, unexpected } = answerTo(new RedisTimeoutError('EVALSHA', 250));
    expect(problem).toMatchObject({ status: 503, errorCode: 'redis.timeout' });
    expect(problem.detail).not.toContain('EVALSHA');
    expect(headers).toEqual({ 'Retry-After': '1' });
    expect(unexpected).toBe(false);
  });

  it.each([
    ['a bug', new TypeError('x of undefined: hunter2')],
    ['a wrong command', new RedisReplyError('WRONGTYPE hunter2')],
    ['not even an error', 'hunter2'],
    ['nothing', undefined],
    ['an error that carries a status by chance', Object.assign(new Error('hunter2'), { statusCode: 404 })],
  ])('answers %s with a bare 500', (_, error) => {
    const answer = answerTo(error);
    expect(answer).toMatchObject({ problem: { status: 500, errorCode: 'internal' }, unexpected: true });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });

  it('lists what is wrong with a request', () => {
    const issues = [{ path: 'userId', message: 'Required' }];
    expect(answerTo(new InvalidRequestError(issues)).problem).toMatchObject({
      status: 422,
      errorCode: 'request.invalid',
      issues,
    });
  });

  it("keeps an HTTP exception's message and error code", () => {
    expect(answerTo(new NotFoundException('No such car')).problem).toMatchObject({
      status: 404,
      title: 'Not Found',
      detail: 'No such car',
      errorCode: 'http.404',
    });
    expect(answerTo(new ConflictException('Taken', { errorCode: 'booking.taken' })).problem.errorCode).toBe(
      'booking.taken',
    );
  });

  it('hides the message of a 5xx HTTP exception', () => {
    expect(answerTo(new ServiceUnavailableException('pg://hunter2')).problem.detail).toBeUndefined();
  });

  it('passes on a body that is a problem already', () => {
    const body = { type: 'https://example.org/quota', title: 'Quota exceeded', detail: 'Later.', policies: ['login'] };
    expect(answerTo(new HttpException(body, 429)).problem).toEqual({ ...body, status: 429, errorCode: 'http.429' });
  });

  it('tells when to return where an HTTP exception knows it', () => {
    const later = Object.assign(new HttpException('Later', 503), { retryAfterMs: 1_500 });
    expect(answerTo(later).headers).toEqual({ 'Retry-After': '2' });
    expect(answerTo(new LockQuarantineError(31_000))).toMatchObject({
      problem: { status: 503, errorCode: 'lock.quarantine' },
      headers: { 'Retry-After': '31' },
      unexpected: false,
    });
    expect(answerTo(new LockBusyError(['car:7']))).toMatchObject({ problem: { status: 409 }, headers: {} });
    const never = Object.assign(new HttpException('Never', 429), { retryAfterMs: null });
    expect(answerTo(never).headers).toEqual({});
  });

  it.each([
    ['ends all connections', { code: '57P01', message: 'terminating connection due to administrator command' }],
    ['has no connection left', { code: '53300', message: 'sorry, too many clients already' }],
    ['starts', { code: '57P03', message: 'the database system is starting up' }],
    ['breaks a connection', { message: 'Connection terminated unexpectedly' }],
    ['is a replica now', { code: '25006', message: 'cannot execute INSERT in a read-only transaction' }],
  ])('answers 503 while Postgres %s, whether or not Drizzle has wrapped that', (_, { message, ...code }) => {
    const error = Object.assign(new Error(message), code);
    for (const thrown of [error, new DrizzleQueryError('insert', [], error)]) {
      const answer = answerTo(thrown);
      expect(answer).toMatchObject({
        problem: { status: 503, errorCode: 'database.unavailable' },
        headers: { 'Retry-After': '1' },
        unexpected: false,
      });
      expect(answer.problem.detail).not.toContain(message);
    }
  });

  it('answers a mistake in SQL with a bare 500', () => {
    const error = Object.assign(new Error('relation "hunter2" does not exist'), { code: '42P01' });
    const answer = answerTo(new DrizzleQueryError('insert', ['hunter2'], error));
    expect([answer.problem.status, answer.unexpected]).toEqual([500, true]);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });

  it("takes the status of the server's own errors", () => {
    const error = Object.assign(new Error('Body is too large'), {
      code: 'FST_ERR_CTP_BODY_TOO_LARGE',
      statusCode: 413,
    });
    expect(answerTo(error).problem).toMatchObject({ status: 413, errorCode: 'http.413' });
  });
});
