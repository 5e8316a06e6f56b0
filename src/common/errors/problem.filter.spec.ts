import { Controller, Get, HttpException, Post, type LoggerService } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisTimeoutError } from '@roost/redis';
import { ProblemFilter } from './index.js';

@Controller()
class FailingController {
  @Get('bug')
  bug(): never {
    throw new TypeError('hunter2 of undefined');
  }

  @Get('outage')
  outage(): never {
    throw new RedisTimeoutError('EVALSHA', 250);
  }

  @Get('teapot')
  teapot(): never {
    throw new HttpException('Short and stout', 418);
  }

  @Post('echo')
  echo(): void {}
}

describe('ProblemFilter', () => {
  const errors: unknown[] = [];
  let app: NestFastifyApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ controllers: [FailingController] }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter({ bodyLimit: 16 }));
    const silent = () => undefined;
    const logger: LoggerService = { log: silent, warn: silent, error: (error: unknown) => void errors.push(error) };
    app.useLogger(logger);
    app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)));
    await app.init();
  });

  afterAll(() => app.close());
  beforeEach(() => void (errors.length = 0));

  async function problemOf(request: Parameters<NestFastifyApplication['inject']>[0] & object) {
    const answer = await app.inject(request);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json().status).toBe(answer.statusCode);
    return { ...answer.json(), headers: answer.headers };
  }

  it('answers a bug with a bare 500 and logs it once with its stack', async () => {
    const problem = await problemOf({ url: '/bug' });
    expect(problem).toMatchObject({ status: 500, errorCode: 'internal', title: 'Internal Server Error' });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    expect(errors).toEqual([expect.objectContaining({ stack: expect.stringContaining('FailingController.bug') })]);
  });

  it('answers an outage with 503 and Retry-After, and logs nothing: that is said once, not per request', async () => {
    const problem = await problemOf({ url: '/outage' });
    expect(problem).toMatchObject({ status: 503, errorCode: 'redis.timeout', headers: { 'retry-after': '1' } });
    expect(errors).toEqual([]);
  });

  it('answers an HTTP exception, an unknown route and an unknown method', async () => {
    expect(await problemOf({ url: '/teapot' })).toMatchObject({ status: 418, detail: 'Short and stout' });
    expect(await problemOf({ url: '/nowhere' })).toMatchObject({ status: 404, errorCode: 'http.404' });
    expect(await problemOf({ url: '/bug', method: 'DELETE' })).toMatchObject({ status: 404 });
  });

  it('answers what the server itself refuses', async () => {
    const json = { 'content-type': 'application/json' };
    expect(await problemOf({ url: '/echo', method: 'POST', headers: json, payload: '{"a":' })).toMatchObject({
      status: 400,
    });
    expect(
      await problemOf({ url: '/echo', method: 'POST', headers: json, payload: `"${'x'.repeat(16)}"` }),
    ).toMatchObject({
      status: 413,
    });
    expect(
      await problemOf({ url: '/echo', method: 'POST', headers: { 'content-type': 'text/csv' }, payload: 'a' }),
    ).toMatchObject({ status: 415 });
    expect(errors).toEqual([]);
  });

  it('leaves the error of a job to its queue', () => {
    const error = new TypeError('not for HTTP');
    const filter = new ProblemFilter(app.get(HttpAdapterHost));
    const host = new ExecutionContextHost([{}, AbortSignal.abort()]);
    host.setType('job');
    expect(() => filter.catch(error, host)).toThrow(error);
    expect(errors).toEqual([]);
  });
});
