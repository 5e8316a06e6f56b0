import { Controller, Get, Injectable, NotFoundException, SetMetadata } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { LockModule } from './lock.module.js';
import { LockService } from './lock.service.js';
import { WithLock } from './with-lock.decorator.js';

const missing = new NotFoundException('no such car');

@Injectable()
class Garage {
  inside = 0;
  most = 0;

  constructor(readonly locks: LockService) {}

  @WithLock((carId: string) => ['car', carId], { ttl: '10s' })
  async wash(_carId: string): Promise<string> {
    this.most = Math.max(this.most, ++this.inside);
    await new Promise((resume) => setTimeout(resume, 2));
    this.inside--;
    return this.locks.current!.key;
  }

  @WithLock('sale')
  async sell(): Promise<void> {
    throw missing;
  }

  @WithLock((first: string, second?: string) => [first, second as string])
  async swap(first: string, second?: string): Promise<string> {
    return `${first} ${second}`;
  }
}

@Controller()
class Desk {
  constructor(private readonly garage: Garage) {}

  @Get('above')
  @WithLock('above')
  async above(): Promise<string> {
    return 'above';
  }

  @WithLock('below')
  @Get('below')
  async below(): Promise<string> {
    return 'below';
  }

  @Get('missing')
  async missing(): Promise<void> {
    await this.garage.sell();
  }
}

describe('@WithLock', () => {
  let app: NestFastifyApplication;
  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [RedisModule.forRoot({}), LockModule.forRoot()],
      controllers: [Desk],
      providers: [Garage],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await app.init();
  });
  afterAll(() => app.close());

  it('lets one in at a time, and tells the section of its lock', async () => {
    const garage = app.get(Garage);
    const washed = await Promise.all(Array.from({ length: 20 }, () => garage.wash('7')));
    expect(new Set(washed)).toEqual(new Set(['car:7']));
    expect(garage.most).toBe(1);
  });

  it('49: passes on what the method throws, the same instance, and HTTP sees its status', async () => {
    await expect(app.get(Garage).sell()).rejects.toBe(missing);
    expect((await app.inject({ url: '/missing' })).statusCode).toBe(404);
  });

  it.each(['above', 'below'])('49: stands %s a route decorator', async (route) => {
    const { statusCode, body } = await app.inject({ url: `/${route}` });
    expect({ statusCode, body }).toEqual({ statusCode: 200, body: route });
  });

  it('refuses an empty part of the key instead of locking something else', async () => {
    await expect(app.get(Garage).swap('a')).rejects.toThrow('part 2');
  });

  it('leaves name, length and metadata of the method', () => {
    class Marked {
      @WithLock('a')
      @SetMetadata('mark', 7)
      async marked(_one: string, _two: string): Promise<void> {}
    }
    const { marked } = Marked.prototype;
    expect([marked.name, marked.length, Reflect.getMetadata('mark', marked)]).toEqual(['marked', 2, 7]);
  });

  it('says what is wrong with an object that Nest has not made, and with what is no method', async () => {
    await expect(new Garage(app.get(LockService)).sell()).rejects.toThrow(
      /@WithLock on Garage.sell.*\n.*that Nest made/,
    );
    const field = () => (WithLock('a') as PropertyDecorator)(Garage.prototype, 'inside');
    expect(field).toThrow(/@WithLock on Garage.inside.*\n.*Expected a method/);
  });

  it('fails the boot when options are wrong, and names each of them', async () => {
    @Injectable()
    class Late {
      @WithLock('a', { ttl: '2m', wiat: 5 } as object)
      async first(): Promise<void> {}

      @WithLock('b', { wait: 'soon' } as object)
      async second(): Promise<void> {}
    }
    const imports = [RedisModule.forRoot({}), LockModule.forRoot()];
    const module = await Test.createTestingModule({ imports, providers: [Late] }).compile();
    const failure = await module.init().catch((error: unknown) => error);
    expect(String(failure)).toMatch(
      /@WithLock on Late.first: unknown option `wiat`\n.*Late.first: .*`ttl`.*\n.*Late.second: `wait`/,
    );
    await module.close();
  });

  it('fails the boot without LockModule', async () => {
    const boot = Test.createTestingModule({ imports: [RedisModule.forRoot({})], providers: [Garage] }).compile();
    await expect(boot).rejects.toThrow('LockService');
  });
});
