import { Logger, type LoggerService } from '@nestjs/common';
import { eventually } from '@roost/testing';
import fastify, { type FastifyInstance } from 'fastify';
import { connect } from 'node:net';
import { logRequests } from './request-log.js';

describe('logRequests', () => {
  const lines: Record<string, unknown>[] = [];
  let server: FastifyInstance;
  let release: () => void;
  let arrived: Promise<void>;

  beforeEach(async () => {
    lines.length = 0;
    const sink = { log: (_: unknown, line: object) => void lines.push({ ...line }) };
    Logger.overrideLogger(sink as unknown as LoggerService);
    server = fastify({ genReqId: () => 'id-1' });
    logRequests(server, () => ({ rl_backend: 'redis', rate_limit_state: 'throttle' }));
    server.get('/cars/:id', () => 'ok');
    server.get('/broken', () => Promise.reject(new Error('boom')));
    server.post('/upload', () => 'ok');
    const held = new Promise<void>((resolve) => (release = resolve));
    arrived = new Promise<void>((resolve) => server.get('/slow', () => (resolve(), held.then(() => 'late'))));
    await server.ready();
  });

  afterEach(async () => {
    release();
    await server.close();
    Logger.overrideLogger(false);
  });

  it('logs a request once, by its route', async () => {
    const { headers } = await server.inject({
      url: '/cars/secret-7?token=hunter2',
      headers: { authorization: 'hunter2' },
    });
    expect(headers['x-request-id']).toBe('id-1');
    expect(lines).toEqual([
      {
        method: 'GET',
        path: '/cars/:id',
        status: 200,
        duration_ms: expect.any(Number),
        request_id: 'id-1',
        rl_backend: 'redis',
        rate_limit_state: 'throttle',
      },
    ]);
  });

  it('logs what has no route, without the path that the caller made up', async () => {
    await server.inject({ url: '/hunter2?token=hunter2' });
    expect(lines).toEqual([expect.objectContaining({ path: '(no route)', status: 404 })]);
  });

  it('logs what fails', async () => {
    await server.inject({ url: '/broken' });
    expect(lines).toEqual([expect.objectContaining({ path: '/broken', status: 500 })]);
  });

  it('logs once a client that leaves while its answer is already there', async () => {
    await server.listen({ port: 0, host: '127.0.0.1' });
    const client = connect((server.server.address() as { port: number }).port, '127.0.0.1');
    // Too large: answered before the body has arrived, which then never does.
    client.write(
      'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n{',
    );
    await new Promise((resolve) => client.once('data', resolve));
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.destroy();
    await closed;
    await server.inject({ url: '/cars/1' });
    expect(lines.map(({ path, status }) => [path, status])).toEqual([
      ['/upload', 413],
      ['/cars/:id', 200],
    ]);
  });

  it('logs a client that leaves before its answer, once, as 499', async () => {
    await server.listen({ port: 0, host: '127.0.0.1' });
    const client = connect((server.server.address() as { port: number }).port, '127.0.0.1');
    client.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await arrived;
    client.destroy();
    await eventually(() => expect(lines).toHaveLength(1), { within: 2_000, every: 5 });
    release(); // the handler answers nobody
    await server.inject({ url: '/cars/1' });
    expect(lines.map(({ path, status }) => [path, status])).toEqual([
      ['/slow', 499],
      ['/cars/:id', 200],
    ]);
  });
});
