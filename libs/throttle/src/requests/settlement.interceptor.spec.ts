import {
  ConsoleLogger,
  Controller,
  Get,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { MessagePattern, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RedisModule } from '@roost/redis';
import { eventually } from '@roost/testing';
import { once } from 'node:events';
import { lastValueFrom, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { rateLimited } from '../policies/rate-limit.metadata.js';
import { RateLimitRoutes } from '../policies/rate-limit.routes.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { subjectDigest } from '../stores/rate-limit.keys.js';
import { ThrottleModule } from '../throttle.module.js';
import type { LimitOptions } from '../throttle.options.js';
import { Settlements } from './settlements.js';

const slots: LimitOptions = { name: 'slots', limit: 2, window: '30s', algorithm: 'concurrency', key: () => 'x' };
const failures: LimitOptions = { name: 'failures', limit: 5, window: '1h', count: 'failure', key: () => 'x' };
const subject = subjectDigest('custom', 'x');

/** What the guard does for any context, and nothing else. */
@Injectable()
class Holding implements CanActivate {
  constructor(
    private readonly limiter: RateLimiter,
    private readonly routes: RateLimitRoutes,
    private readonly settlements: Settlements,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const limits = this.routes.of(context.getClass(), context.getHandler() as never);
    const charges = limits.map((limit) => ({ limit, quota: limit.quota as never, subject, cost: 1 }));
    const decision = await this.limiter.decide(charges, 'consume');
    this.settlements.track(decision, context, undefined);
    return decision.allowed;
  }
}

@Injectable()
class Refusing implements CanActivate {
  canActivate() {
    return false;
  }
}

/** The handler that runs. */
let handler: { finish(result: string | Error): void } | undefined;
const running = () =>
  new Promise((resolve, reject) => {
    handler = { finish: (result) => (result instanceof Error ? reject(result) : resolve(result)) };
  });

@Controller()
class MessagesController {
  @MessagePattern('export')
  @rateLimited([slots, failures])
  @UseGuards(Holding)
  export() {
    return running();
  }

  @MessagePattern('refused')
  @rateLimited([slots, failures])
  @UseGuards(Holding, Refusing)
  refused() {
    return 'never';
  }

  @Get('plain')
  @rateLimited([slots])
  plain() {
    return 'ok';
  }

  @MessagePattern('counted')
  @rateLimited([{ name: 'counted', limit: 5, window: '1h' }])
  counted() {
    return 'ok';
  }
}

@WebSocketGateway()
class MessagesGateway {
  @SubscribeMessage('export')
  @rateLimited([slots, failures])
  @UseGuards(Holding)
  export() {
    return running();
  }
}

/** A broker without a network. */
class Local extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('local');
  listen = (callback: () => void) => callback();
  close = () => undefined;
  on = () => undefined;
  unwrap = () => undefined as never;

  async deliver(pattern: string): Promise<unknown> {
    const result = await this.getHandlerByPattern(pattern)!({});
    return lastValueFrom(this.transformToObservable(result) as Observable<unknown>);
  }
}

describe('what messages hold', () => {
  let app: INestApplication;
  let local: Local;
  let limiter: RateLimiter;

  const start = async () => {
    const testing = await Test.createTestingModule({
      imports: [RedisModule.forRoot({}), ThrottleModule.forRoot()],
      controllers: [MessagesController],
      providers: [MessagesGateway],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    const started = testing.createNestApplication(new FastifyAdapter());
    started.useWebSocketAdapter(new WsAdapter(started));
    started.connectMicroservice({ strategy: local });
    await started.startAllMicroservices();
    await started.listen(0, '127.0.0.1');
    return started;
  };
  beforeEach(async () => {
    handler = undefined;
    local = new Local();
    app = await start();
    limiter = app.get(RateLimiter);
  });
  afterEach(() => app.close());

  const left = async () => (await limiter.peek([slots, failures], 'x')).policies.map(({ remaining }) => remaining);
  const finish = async (result: string | Error) => {
    await eventually(() => handler !== undefined, { within: 1_000, every: 5 });
    handler!.finish(result);
  };
  const settled = (...remaining: number[]) =>
    eventually(async () => expect(await left()).toEqual(remaining), { within: 1_000, every: 5 });

  it('85: is free again when the handler of an RPC message has ended', async () => {
    const sent = local.deliver('export');
    await settled(1, 4);
    await finish('done');
    expect(await sent).toBe('done');
    await settled(2, 5);
  });

  it('39: stays charged when the handler fails', async () => {
    const sent = local.deliver('export').catch(() => 'failed');
    await settled(1, 4);
    await finish(new Error('no'));
    expect(await sent).toBe('failed');
    await settled(2, 4);
  });

  it('85: is free again when the handler of a WebSocket message has ended', async () => {
    const socket = new WebSocket((await app.getUrl()).replace('http', 'ws'));
    await once(socket, 'open');
    socket.send(JSON.stringify({ event: 'export' }));
    await settled(1, 4);
    await finish('done');
    await settled(2, 5);
    socket.close();
  });

  it('is not renewed when another guard refuses: it ends with its window', async () => {
    await local.deliver('refused').catch(() => undefined);
    expect(await left()).toEqual([1, 4]);
  });

  it('is told by an interceptor only where no HTTP response tells', () => {
    const interceptors = (handler: keyof MessagesController) =>
      (Reflect.getMetadata('__interceptors__', MessagesController.prototype[handler]) as unknown[] | undefined)?.length;
    expect(['export', 'refused', 'plain', 'counted'].map((name) => interceptors(name as 'export'))).toEqual([
      1,
      1,
      undefined,
      undefined,
    ]);
  });

  it('is settled once where two applications share a handler', async () => {
    const mine = local;
    local = new Local();
    const other = await start();
    const sent = mine.deliver('export');
    await settled(1, 4);
    expect((await other.get(RateLimiter).peek(slots, 'x')).policies[0]!.remaining).toBe(2);
    await finish('done');
    await sent;
    await settled(2, 5);
    await other.close();
  });
});
