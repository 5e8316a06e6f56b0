import { InvalidOptionsError, show } from '@roost/redis';
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
 * @throws InvalidJobError for an expression or a time zone that does not exist, and for times that never come.
 */
export function JobSchedule(
  cron: string | Timing,
  { data = {}, timezone }: { data?: unknown; timezone?: string } = {},
): MethodDecorator {
  const timing = typeof cron === 'string' ? { cron, ...(timezone !== undefined && { timezone }) } : cron;
  scheduleOf('schedule', timing);
  return append<ScheduleMetadata>(SCHEDULES, { timing, data });
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
  return (_target, _name, descriptor) => {
    const method = descriptor.value as object;
    Reflect.defineMetadata(key, [...((Reflect.getMetadata(key, method) ?? []) as T[]), value], method);
  };
}
