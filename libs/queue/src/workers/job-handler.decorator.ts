import { InvalidOptionsError, show } from '@roost/redis';
import { jsonOf } from '../jobs/job-data.js';
import { objectIn } from '../options.check.js';
import { needQueueModule } from '../queue.tokens.js';
import { scheduleOf, type Timing } from '../schedules/timing.js';

/** What a method is decorated with; a method may handle several jobs. */
export interface HandlerMetadata {
  readonly name: string;
}

/** A schedule that adds the job a method handles. */
export interface ScheduleMetadata {
  readonly timing: Timing;
  readonly data: unknown;
}

const WORKER = Symbol('roost:job-worker');
const HANDLERS = Symbol('roost:job-handlers');
const SCHEDULES = Symbol('roost:job-schedules');
const KNOWN_OF_SCHEDULE = new Set(['data', 'timezone']);

/**
 * A provider whose methods handle jobs of a queue. Several classes may handle jobs of one queue, each others.
 * @example
 * @JobWorker('emails')
 * export class EmailJobs {
 *   @JobHandler('confirm')
 *   async confirm(@JobData() { bookingId }: Confirmation, @JobSignal() signal: AbortSignal) { … }
 * }
 */
export function JobWorker(queue: string): ClassDecorator {
  if (typeof queue !== 'string' || queue === '') {
    throw new InvalidOptionsError('@JobWorker', [`Expected the name of a queue, got ${show(queue)}`]);
  }
  return (target) => {
    needQueueModule(target.prototype as object);
    Reflect.defineMetadata(WORKER, queue, target);
  };
}

/**
 * A method that handles the jobs of one name: what it returns is the result, what it throws the reason of failure. Without
 * parameter decorators it is given the job and a signal. Guards, pipes, interceptors and filters apply, with `'job'` as the
 * type of their context.
 */
export function JobHandler(name: string): MethodDecorator {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionsError('@JobHandler', [`Expected the name of a job, got ${show(name)}`]);
  }
  return append<HandlerMetadata>(HANDLERS, { name });
}

/**
 * Adds the job that the method handles at each time of a cron expression: once, however many processes there are. A time
 * at which no process ran is caught up once. It begins with the first process that declares it, and ends with the first
 * that does not any more.
 * @example
 * @JobHandler('digest')
 * @JobSchedule('0 8 * * *', { timezone: 'Europe/Berlin' })
 * async digest() { … }
 * @throws InvalidJobError for an expression or a time zone that does not exist, for times that never come and for options
 * that do not exist; NonSerializableError for data that JSON would change.
 */
export function JobSchedule(
  cron: string | Timing,
  options: { data?: unknown; timezone?: string } = {},
): MethodDecorator {
  const problems: string[] = [];
  const { data, timezone } = objectIn(undefined, options, KNOWN_OF_SCHEDULE, problems) ?? {};
  const { pattern, tz, every } = scheduleOf('schedule', cron, timezone, problems);
  const timing = pattern === undefined ? { every } : { cron: pattern, timezone: tz };
  return append<ScheduleMetadata>(SCHEDULES, { timing, data: jsonOf(data, Infinity) });
}

export function queueOf(target: object): string | undefined {
  return Reflect.getMetadata(WORKER, target) as string | undefined;
}

export function handlersOf(method: object): readonly HandlerMetadata[] {
  return (Reflect.getMetadata(HANDLERS, method) ?? []) as readonly HandlerMetadata[];
}

export function schedulesOf(method: object): readonly ScheduleMetadata[] {
  return (Reflect.getMetadata(SCHEDULES, method) ?? []) as readonly ScheduleMetadata[];
}

function append<T>(key: symbol, value: T): MethodDecorator {
  return (target, name, descriptor) => {
    if (typeof target === 'function') {
      throw new InvalidOptionsError('@JobHandler', [`${target.name}.${String(name)} is static: nobody would call it`]);
    }
    needQueueModule(target);
    const method = descriptor.value as object;
    Reflect.defineMetadata(key, [...((Reflect.getMetadata(key, method) ?? []) as T[]), value], method);
  };
}
