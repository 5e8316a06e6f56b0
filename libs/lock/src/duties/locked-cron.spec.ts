import {
  Controller,
  Get,
  Injectable,
  Module,
  Scope,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Metrics, RedisModule } from '@roost/redis';
import { eventually } from '@roost/testing';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { FakeTime } from '../conformance/fake-time.js';
import type { Lock } from '../lock.js';
import { LockModule } from '../lock.module.js';
import type { LockOptions } from '../lock.options.js';
import { WithLock } from '../with-lock.decorator.js';
import type { CronFire } from './cron.fires.js';
import { CronClock } from './cron.schedule.js';
import { LockedCron, type LockedCronOptions } from './locked-cron.decorator.js';

const silent = { log() {}, warn() {}, error() {} };

function build(
  providers: Provider[],
  time: FakeTime,
  options: LockOptions = {},
  controllers: Type[] = [],
  imports: Type[] = [],
) {
  @Module({ imports: [RedisModule.forRoot({}), LockModule.forRoot(options), ...imports], providers, controllers })
  class AppModule {}
  return Test.createTestingModule({ imports: [AppModule] })
    .setLogger(silent)
    .overrideProvider(CronClock)
    .useValue(time.clock())
    .compile();
}

const settled = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resume) => setImmediate(resume));
};

describe('@LockedCron', () => {
  let time: FakeTime;
  const told: CronFire[] = [];
  const listen = (message: unknown) => void told.push(message as CronFire);
  beforeEach(() => {
    time = new FakeTime('2026-06-01T12:00:30Z');
    told.splice(0);
    subscribe('roost:lock:cron', listen);
  });
  afterEach(() => void unsubscribe('roost:lock:cron', listen));

  it('runs methods of providers and controllers, with the lock', async () => {
    const calls: string[] = [];

    @Injectable()
    class Reports {
      readonly title = 'reports';

      @LockedCron('* * * * *')
      async write(lock: Lock) {
        expect(lock.held).toBe(true);
        await Promise.resolve();
        calls.push(`${this.title} ${lock.key}`);
      }
    }

    @Controller('stock')
    class Stock {
      @Get()
      @LockedCron('31 17 * * *', { name: 'stock', timeZone: 'Asia/Kolkata' })
      count() {
        calls.push('stock'); // 12:01 UTC
      }
    }

    const app = await build([Reports, { provide: 'again', useExisting: Reports }], time, {}, [Stock]);
    await app.init();
    await time.advance(60_000, settled);
    expect(calls.toSorted()).toEqual(['reports cron:Reports.write:2026-06-01T12%3A01%3A00.000Z', 'stock']);
    const fire = new Date('2026-06-01T12:01:00Z');
    expect(told).toContainEqual({ name: 'Reports.write', fire, ran: true, reason: undefined });
    const metrics = await app.get(Metrics).registry.metrics();
    expect(metrics).toContain('roost_lock_cron_fires_total{name="Reports.write",outcome="ran"} 1');
    await app.close();
    expect(time.timers).toBe(0);
  });

  it('runs nothing before the boot or after the beginning of the shutdown, whatever else takes its time', async () => {
    const calls: string[] = [];
    const anHour = async (name: string) => {
      calls.push(name);
      await time.advance(3_600_000, settled);
    };

    @Injectable()
    class Slow implements OnApplicationBootstrap, OnModuleDestroy, OnModuleInit {
      onModuleInit = () => anHour('init');
      onApplicationBootstrap = () => anHour('bootstrap');
      onModuleDestroy = () => anHour('destroy');

      @LockedCron('* * * * *')
      run() {
        calls.push('run');
      }
    }

    @Module({ providers: [Slow] })
    class Feature {}

    const app = await build([], time, {}, [], [Feature]);
    await app.init();
    await time.advance(60_000, settled);
    await app.close();
    expect(calls).toEqual(['init', 'bootstrap', 'run', 'destroy']);
  });

  it('runs several schedules of one method, and of providers that a factory makes', async () => {
    const calls: string[] = [];

    class Jobs {
      @LockedCron('0 13 * * *', { name: 'noon' })
      @LockedCron('5 13 * * *', { name: 'later' })
      run({ key }: Lock) {
        calls.push(key.split(':')[1]!);
      }
    }

    const app = await build([{ provide: 'jobs', useFactory: () => new Jobs() }], time);
    await app.init();
    await time.advance(4_000_000, settled);
    expect(calls).toEqual(['noon', 'later']);
    await app.close();
  });

  it('runs together with @WithLock, in both orders, so that runs do not overlap', async () => {
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise((resume) => setTimeout(resume, 20));
      running--;
    };

    @Injectable()
    class Jobs {
      @LockedCron('* * * * * *', { name: 'above' })
      @WithLock('jobs', { wait: '5s' })
      async above() {
        await work();
      }

      @WithLock('jobs', { wait: '5s' })
      @LockedCron('* * * * * *', { name: 'below' })
      async below() {
        await work();
      }
    }

    const app = await build([Jobs], time);
    await app.init();
    await time.advance(1_000, settled);
    await eventually(() => expect(told).toHaveLength(2), { within: 3_000 });
    expect(told.map(({ name, reason }) => `${name} ${reason}`).toSorted()).toEqual([
      'above undefined',
      'below undefined',
    ]);
    expect(most).toBe(1);
    await app.close();
  });

  it('fails the boot with every problem of every schedule', async () => {
    const wrong = (options: unknown) => options as LockedCronOptions;

    @Injectable()
    class First {
      @LockedCron('61 * * * *')
      minutes() {}

      @LockedCron('0 0 30 2 *')
      never() {}

      @LockedCron('* * * * *', { timeZone: 'Mars/Olympus' })
      mars() {}

      @LockedCron('* * * * *', wrong({ per: 'process', onUnavailable: 'run', atLeast: '2m', ttl: 'x', nam: 1 }))
      options() {}

      @LockedCron('* * * * *', { name: 'same' })
      same() {}
    }

    @Injectable()
    class Second {
      @LockedCron('* * * * *', { name: 'same' })
      same() {}
    }

    @Injectable({ scope: Scope.REQUEST })
    class Third {
      @LockedCron('* * * * *')
      request() {}
    }

    const app = await build([First, Second, Third], time);
    const failure = await app.init().then(
      () => '',
      (error: Error) => error.message,
    );
    expect(failure.split('\n')).toEqual([
      'LockModule cannot start:',
      expect.stringMatching(/First\.minutes: pattern `"61 \* \* \* \*"`.*minute: 61/),
      expect.stringMatching(/First\.never: .*it never fires/),
      expect.stringMatching(/First\.mars: .*Mars\/Olympus/),
      expect.stringMatching(/First\.options: unknown option `nam`/),
      expect.stringMatching(/First\.options: `ttl`: Expected a duration/),
      expect.stringMatching(/First\.options: expected `atLeast` to be at most `maxTtl`, 60000 ms, got `"2m"`/),
      expect.stringMatching(/First\.options: expected `per` to be 'fire', got `"process"`/),
      expect.stringMatching(/First\.options: expected `onUnavailable` to be 'skip', got `"run"`/),
      expect.stringMatching(/Second\.same: the name `"same"` \(string\) is taken/),
      expect.stringMatching(/Third\.request: a provider that is not made once for all cannot run by itself/),
    ]);
    expect(time.timers).toBe(0);
  });

  it('fails the boot without LockModule', async () => {
    @Injectable()
    class Jobs {
      @LockedCron('* * * * *')
      run() {}
    }

    await expect(
      Test.createTestingModule({ providers: [Jobs] })
        .setLogger(silent)
        .compile(),
    ).rejects.toThrow(/LockService/);
  });

  it('takes a fire for at least `atLeast`, and no longer than `maxTtl`, also where locks live shorter', async () => {
    let leftMs = 0;

    @Injectable()
    class Jobs {
      @LockedCron('* * * * *')
      run({ deadline }: Lock) {
        leftMs = deadline.getTime() - Date.now();
      }
    }

    const app = await build([Jobs], time, { ttl: '5s', maxTtl: '10s' });
    await app.init();
    await time.advance(60_000, settled);
    await eventually(() => expect(told).toMatchObject([{ ran: true }]), { within: 3_000 });
    expect(leftMs).toBeGreaterThan(5_000);
    await app.close();
  });
});
