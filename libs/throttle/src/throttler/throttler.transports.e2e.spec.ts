import { ConsoleLogger, Controller, UseGuards, type INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Field, GraphQLModule, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import { ClientProxyFactory, MessagePattern, Transport, type ClientProxy } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Test } from '@nestjs/testing';
import { SkipThrottle, ThrottlerModule } from '@nestjs/throttler';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { RedisModule } from '@roost/redis';
import { freePort } from '@roost/testing';
import { firstValueFrom } from 'rxjs';
import { io } from 'socket.io-client';
import { RoostThrottlerGuard, RoostThrottlerModule, RoostThrottlerStorage } from '../throttler.js';

@WebSocketGateway()
@UseGuards(RoostThrottlerGuard)
class ChatGateway {
  @SubscribeMessage('say')
  say() {
    return { event: 'said', data: 'ok' };
  }
}

@ObjectType()
class Car {
  @Field()
  name: string;
}

@Resolver(() => Car)
class CarsResolver {
  @Query(() => Car)
  car(): Car {
    return { name: 'kestrel' };
  }

  @Query(() => Car)
  @SkipThrottle()
  free(): Car {
    return { name: 'free' };
  }
}

@Controller()
class MessagesController {
  @MessagePattern('sum')
  sum(numbers: number[]) {
    return numbers.reduce((sum, each) => sum + each, 0);
  }
}

describe('RoostThrottlerGuard beside HTTP', () => {
  let app: INestApplication;
  let rpc: ClientProxy;

  beforeAll(async () => {
    const testing = await Test.createTestingModule({
      imports: [
        RedisModule.forRoot({}),
        RoostThrottlerModule.forRoot(),
        ThrottlerModule.forRootAsync({
          inject: [RoostThrottlerStorage],
          useFactory: (storage: RoostThrottlerStorage) => ({ throttlers: [{ ttl: 60_000, limit: 2 }], storage }),
        }),
        GraphQLModule.forRoot({ driver: MercuriusDriver, autoSchemaFile: true }),
      ],
      controllers: [MessagesController],
      providers: [ChatGateway, CarsResolver, { provide: APP_GUARD, useClass: RoostThrottlerGuard }],
    })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    app = testing.createNestApplication(new FastifyAdapter());
    app.useWebSocketAdapter(new IoAdapter(app));
    const port = await freePort();
    app.connectMicroservice(
      { transport: Transport.TCP, options: { host: '127.0.0.1', port } },
      { inheritAppConfig: true },
    );
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    rpc = ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  });
  afterAll(async () => {
    await rpc?.close();
    await app?.close();
  });

  it('79: refuses the third message of a WebSocket, and keeps it open', async () => {
    const socket = io(await app.getUrl(), { transports: ['websocket'] });
    const heard: string[] = [];
    try {
      await new Promise<void>((resolve) => {
        socket.onAny((event: string) => {
          heard.push(event);
          if (heard.length === 3) resolve();
        });
        for (let i = 0; i < 3; i++) socket.emit('say', 'hello');
      });
      expect([heard.filter((event) => event === 'said').length, heard.includes('exception')]).toEqual([2, true]);
      expect(socket.connected).toBe(true);
    } finally {
      socket.close();
    }
  });

  it('79: refuses a GraphQL query, each alias counted, with the headers of the throttler', async () => {
    const url = `${await app.getUrl()}/graphql`;
    const ask = (query: string) =>
      fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
    const first = await ask('{ car { name } }');
    expect(first.headers.get('x-ratelimit-remaining')).toBe('1');
    expect(await first.json()).toEqual({ data: { car: { name: 'kestrel' } } });
    const aliased = (await (await ask('{ a: car { name } b: car { name } }')).json()) as {
      errors: { message: string }[];
    };
    expect(aliased.errors.map(({ message }) => message)).toEqual(['ThrottlerException: Too Many Requests']);
    expect(await (await ask('{ free { name } }')).json()).toEqual({ data: { free: { name: 'free' } } });
  });

  it('79: refuses the third message of a microservice', async () => {
    const ask = () => firstValueFrom(rpc.send<number>('sum', [1, 2])).catch(() => 'refused');
    expect([await ask(), await ask(), await ask()]).toEqual([3, 3, 'refused']);
  });
});
