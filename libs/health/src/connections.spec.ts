import { Controller, Get, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { HealthModule } from './index.js';

/** Answers when it is told to. */
@Controller()
class SlowController {
  readonly #events = new EventEmitter();
  readonly arrived = once(this.#events, 'arrived');

  @Get('slow')
  async slow(): Promise<string> {
    this.#events.emit('arrived');
    return (await once(this.#events, 'answer')).join();
  }

  answer(text: string): void {
    this.#events.emit('answer', text);
  }
}

const adapters = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
] as const;

describe.each(adapters)('closing the server on %s', (_, createAdapter) => {
  let app: INestApplication;
  let socket: Socket;
  let received: string;
  let cut: Promise<void>;

  async function start(closeWithinMs: number): Promise<void> {
    const imports = [RedisModule.forRoot({}), HealthModule.forRoot({ closeWithinMs })];
    const module = await Test.createTestingModule({ imports, controllers: [SlowController] }).compile();
    app = module.createNestApplication(createAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    received = '';
    socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.on('data', (text: string) => (received += text));
    cut = new Promise((resolve) => socket.once('close', () => resolve()));
    await new Promise((resolve) => socket.once('connect', resolve));
  }

  function ask(path: string): void {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  }

  afterEach(() => app.close());

  it('does not wait for a connection that asks nothing', async () => {
    await start(60_000);
    await app.close();
    await cut;
  });

  it('does not wait for a connection that is kept after its answer', async () => {
    await start(60_000);
    ask('/livez');
    await new Promise((resolve) => socket.once('data', resolve));
    await app.close();
    await cut;
  });

  it('waits for a request in flight, and not for the connection it came on', async () => {
    await start(60_000);
    ask('/slow');
    const slow = app.get(SlowController);
    await slow.arrived;
    const closing = app.close();
    setTimeout(() => slow.answer('done'), 50);
    await closing;
    await cut;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK[^]*done/);
  });

  it('cuts a request that takes longer than closeWithinMs', async () => {
    await start(30);
    ask('/slow');
    await app.get(SlowController).arrived;
    await app.close();
    await cut;
    expect(received).toBe('');
  });
});
