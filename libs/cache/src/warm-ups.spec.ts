import { ConsoleLogger, Injectable, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { eventually } from '@roost/testing';
import { CacheModule } from './cache.module.js';
import type { WarmEntry } from './cache.options.js';
import { CacheService } from './cache.service.js';
import { WarmUp } from './warm-up.decorator.js';

const soon = { within: 1_000, every: 5 };

describe('@WarmUp', () => {
  const lines: [level: string, message: string][] = [];
  let apps: INestApplicationContext[] = [];
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    apps = [];
    lines.length = 0;
  });

  async function start(provider: new () => object): Promise<CacheService> {
    class AppModule {}
    const logger = new ConsoleLogger({ logLevels: [] });
    for (const level of ['log', 'warn', 'error'] as const) {
      logger[level] = (message: unknown) => void lines.push([level, String(message)]);
    }
    const imports = [RedisModule.forRoot({}), CacheModule.forRoot()];
    const app = await NestFactory.createApplicationContext(
      { module: AppModule, imports, providers: [provider] },
      { logger, abortOnError: false },
    );
    apps.push(app);
    return app.get(CacheService);
  }

  it('loads what is named, keeps nobody waiting, and tells when it is done', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    @Injectable()
    class Popular {
      @WarmUp()
      popular(): WarmEntry[] {
        return ['a', 'b'].map((key) => ({ key, load: async () => (await gate, `${key}!`) }));
      }
    }
    const cache = await start(Popular);
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    open();
    await eventually(() => expect(lines).toContainEqual(['log', 'Popular.popular is warm']), soon);
    expect(await cache.getMany(['a', 'b'])).toEqual(['a!', 'b!']);
  });

  it('tells once of what failed, and of a method that cannot name anything', async () => {
    @Injectable()
    class Broken {
      @WarmUp()
      popular(): WarmEntry[] {
        return [{ key: 'a', load: () => Promise.reject(new Error('boom')) }];
      }

      @WarmUp()
      none(): Promise<WarmEntry[]> {
        return Promise.reject(new Error('boom'));
      }
    }
    await start(Broken);
    const told = ['warn', 'Broken.popular is not warm: what is missing is loaded when it is asked for'];
    await eventually(() => expect(lines).toContainEqual(told), soon);
    expect(lines).toContainEqual(['error', 'Broken.none could not be warmed up: Error: boom']);
  });

  it('begins nothing more when the application ends, and says no word', async () => {
    let begun = 0;
    @Injectable()
    class Slow {
      @WarmUp({ concurrency: 1 })
      popular(): WarmEntry[] {
        return ['a', 'b'].map((key) => ({ key, load: ({ signal }) => (begun++, aborted(signal)) }));
      }
    }
    await start(Slow);
    await eventually(() => expect(begun).toBe(1), soon);
    await apps.pop()!.close();
    expect(begun).toBe(1);
    expect(lines.filter(([, message]) => message.includes('Slow'))).toEqual([]);
  });

  it('refuses options that make no sense', () => {
    const make = () => {
      class Wrong {
        @WarmUp({ concurrency: 0, within: '0s' })
        popular(): WarmEntry[] {
          return [];
        }
      }
      return Wrong;
    };
    expect(make).toThrow(/concurrency[\s\S]*within/);
  });
});

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
}
