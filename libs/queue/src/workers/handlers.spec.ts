import {
  Catch,
  Controller,
  ForbiddenException,
  Injectable,
  Module,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InvalidOptionsError } from '@roost/redis';
import { eventually } from '@roost/testing';
import type { Job } from 'bullmq';
import { ConflictingHandlersError, UnregisteredQueueError } from '../queue.errors.js';
import { openBed, type Bed, type BedOptions } from '../queue.testbed.js';
import { checkEndings, OddEndings } from './endings.testbed.js';
import { JobHandler, JobSchedule, JobWorker } from './job-handler.decorator.js';
import { CurrentJob, JobData, JobId, jobOf, JobSignal, jobSignalOf } from './job-params.js';

const seen: unknown[] = [];

class No implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(['guard', context.getType(), jobOf(context).name, jobSignalOf(context).aborted]);
    return false;
  }
}

class Counts implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    seen.push('interceptor');
    return next.handle();
  }
}

@Catch(RangeError)
class Explains implements ExceptionFilter {
  catch(error: RangeError, host: ArgumentsHost) {
    seen.push(['filter', host.getType()]);
    return `explained: ${error.message}`;
  }
}

@JobWorker('emails')
class Emails {
  @JobHandler('plain')
  plain(job: Job, signal: AbortSignal) {
    return { id: job.id, aborted: signal.aborted };
  }

  @JobHandler('decorated')
  decorated(
    @JobData() data: object,
    @JobData('to') to: string,
    @JobId() id: string,
    @JobSignal() signal: AbortSignal,
    @CurrentJob() job: Job,
  ) {
    return { data, to, id, aborted: signal.aborted, name: job.name };
  }

  @JobHandler('guarded')
  @UseGuards(No)
  guarded() {
    seen.push('handled');
  }

  @JobHandler('piped')
  piped(@JobData('count', ParseIntPipe) count: number) {
    seen.push('handled');
    return count;
  }

  @JobHandler('counted')
  @UseInterceptors(Counts)
  counted() {
    throw new Error('again');
  }

  @JobHandler('explained')
  @UseFilters(Explains)
  explained() {
    throw new RangeError('too far');
  }

  @JobHandler('text')
  text() {
    // oxlint-disable-next-line typescript/only-throw-error -- what others throw
    throw 'just text';
  }
}

class NoOne {}

@JobWorker('emails')
class MoreEmails {
  @JobHandler('other')
  @JobHandler('another')
  other(@CurrentJob() job: Job) {
    return job.name;
  }
}

@Injectable({ scope: Scope.REQUEST })
@JobWorker('emails')
class PerJob {
  readonly made = Math.random();

  @JobHandler('scoped')
  scoped() {
    return this.made;
  }
}

const open = (options: BedOptions = {}): Promise<Bed> =>
  openBed({ providers: [Emails, MoreEmails, PerJob, OddEndings], module: { defaults: { backoff: 1 } }, ...options });

describe('handlers of jobs', () => {
  let bed: Bed;

  beforeAll(async () => {
    bed = await open();
  });
  beforeEach(() => seen.splice(0));
  afterAll(() => bed.app.close());

  /** Adds a job and waits for its end. */
  const run = async (name: string, data?: object, options = {}) => {
    const { id } = await bed.jobs().add(name, data, options);
    return eventually(
      async () => {
        const status = await bed.jobs().status(id);
        expect(status.state).toMatch(/completed|failed/);
        return { id, ...status };
      },
      { within: 3_000, every: 5 },
    );
  };

  it('are given the job and a signal', async () => {
    const { id, result } = await run('plain');
    expect(result).toEqual({ id, aborted: false });
  });

  it('are given what parameter decorators ask for', async () => {
    const { id, result } = await run('decorated', { to: 'a@b' });
    expect(result).toEqual({ data: { to: 'a@b' }, to: 'a@b', id, aborted: false, name: 'decorated' });
  });

  it('case 38: of several classes get the jobs of their names, and no others', async () => {
    const names = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'other' : 'another'));
    const results = await Promise.all(names.map((name) => run(name)));
    expect(results.map(({ result }) => result)).toEqual(names);
  });

  it('case 38: that do not exist leave a dead letter, after one attempt', async () => {
    const { id, state, failedReason, attemptsMade } = await run('nobody');
    expect([state, attemptsMade]).toEqual(['failed', 1]);
    expect(failedReason).toMatch(/No method handles `"nobody"` \(string\) of queue `"emails"`/);
    const letters = await bed.jobs().deadLetters.list();
    expect(letters.filter((letter) => letter.id === id)).toHaveLength(1);
    expect(bed.log).toContainEqual(expect.stringContaining(`Job ${id} (nobody) of "emails" is a dead letter`));
  });

  it('case 39: are not called when a guard denies the job', async () => {
    const { state, failedReason } = await run('guarded', {}, { attempts: 1 });
    expect([state, failedReason]).toEqual(['failed', new ForbiddenException('Forbidden resource').message]);
    expect(seen).toEqual([['guard', 'job', 'guarded', false]]);
  });

  it('case 39: are not called with what a pipe refuses, which is not tried again', async () => {
    expect((await run('piped', { count: '7' })).result).toBe(7);
    const { state, attemptsMade } = await run('piped', { count: 'seven' });
    expect([state, attemptsMade, seen]).toEqual(['failed', 1, ['handled']]);
  });

  it('case 39: have an interceptor around each attempt', async () => {
    const { attemptsMade } = await run('counted');
    expect([attemptsMade, seen]).toEqual([3, ['interceptor', 'interceptor', 'interceptor']]);
  });

  it('case 39: have filters, which know that it is a job', async () => {
    expect((await run('explained')).result).toBe('explained: too far');
    expect(seen).toEqual([['filter', 'job']]);
  });

  it('case 25: may throw what is no error, and it is told', async () => {
    expect((await run('text', {}, { attempts: 1 })).failedReason).toBe('just text');
  });

  it('end a job once, with a reason, whatever they throw or return', () =>
    checkEndings(bed.jobs(), bed.app.get(OddEndings)));

  it('are made anew for each job where their class is', async () => {
    const [first, second] = [await run('scoped'), await run('scoped')];
    expect(first.result).not.toBe(second.result);
  });

  it('are refused at boot when two would handle the same jobs', async () => {
    @JobWorker('emails')
    class Twice {
      @JobHandler('plain')
      plain() {}
    }
    await expect(open({ providers: [Emails, Twice] })).rejects.toThrow(ConflictingHandlersError);
  });

  it('are refused at boot when their class is provided twice, with the names of the modules', async () => {
    @Module({ providers: [MoreEmails] })
    class MailModule {}
    const places = 'MoreEmails.other in UserModule and MoreEmails.other in MailModule, at random';
    const twice = open({ imports: [MailModule], providers: [MoreEmails] });
    await expect(twice).rejects.toThrow(`${places}. Provide MoreEmails in one module`);
  });

  it('are found once in an instance that has two tokens', async () => {
    const providers = [MoreEmails, { provide: 'same', useFactory: (same: MoreEmails) => same, inject: [MoreEmails] }];
    const { app } = await open({ providers });
    await app.close();
  });

  it('may be inherited, and be those of a controller', async () => {
    abstract class Base {
      @JobHandler('base')
      base() {
        return this.constructor.name;
      }
    }
    @JobWorker('emails')
    @Controller()
    class Derived extends Base {}
    @Module({ controllers: [Derived] })
    class MailModule {}
    const { app, jobs } = await open({ providers: [], imports: [MailModule] });
    const { id } = await jobs().add('base');
    await eventually(async () => expect(await jobs().result(id)).toBe('Derived'), { within: 1_000, every: 5 });
    await app.close();
  });

  it('are refused at boot when a decorator is missing: every one that is', async () => {
    class NoWorker {
      @JobHandler('plain')
      plain() {}
    }
    @JobWorker('emails')
    class NoHandler {
      @JobSchedule('0 8 * * *')
      digest() {}
    }
    const missing = open({ providers: [NoWorker, NoHandler] });
    await expect(missing).rejects.toThrow(InvalidOptionsError);
    await expect(missing).rejects.toThrow(/NoWorker\.plain.*@JobWorker.*NoHandler\.digest.*@JobHandler.*NoHandler/s);
  });

  it('are refused where they are written when nobody could ever call them', () => {
    expect(() => JobWorker('')(NoOne)).toThrow(InvalidOptionsError);
    expect(() => JobWorker(undefined as never)(NoOne)).toThrow('Expected the name of a queue, got `undefined`');
    const descriptor = { value: () => undefined };
    expect(() => JobHandler('plain')(NoOne, 'plain', descriptor)).toThrow('NoOne.plain is static');
  });

  it('are refused at boot without `QueueModule`', async () => {
    class NoModule {
      @JobHandler('plain')
      plain() {}
    }
    const built = Test.createTestingModule({ providers: [NoModule] }).compile();
    await expect(built).rejects.toThrow(/QueueModule/);
  });

  it('are refused at boot when their queue is not registered', async () => {
    @JobWorker('letters')
    class Letters {
      @JobHandler('plain')
      plain() {}
    }
    await expect(open({ providers: [Letters] })).rejects.toThrow(UnregisteredQueueError);
  });
});
