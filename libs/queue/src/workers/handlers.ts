import { Injectable } from '@nestjs/common';
import { ContextIdFactory, DiscoveryService, ExternalContextCreator, MetadataScanner, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '@roost/redis';
import type { Job } from 'bullmq';
import { ConflictingHandlersError, NoHandlerError } from '../queue.errors.js';
import { handlersOf, queueOf, schedulesOf, type ScheduleMetadata } from './job-handler.decorator.js';
import { final } from './job-ending.js';
import type { JobBody } from './job-runner.js';

/** Where Nest keeps what parameter decorators were told. */
const PARAMETERS = '__routeArguments__';
const ENHANCERS = { guards: true, interceptors: true, filters: true };
/** Parameter decorators of Nest's own controllers mean nothing here. */
const NO_OTHER_PARAMETERS = { exchangeKeyForValue: () => undefined };

type Instance = Record<string, (...args: unknown[]) => unknown>;
type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A method that handles jobs of one name. */
export interface Handler {
  /** `Class.method`, for messages. */
  readonly at: string;
  readonly body: JobBody;
  readonly schedules: readonly ScheduleMetadata[];
}

/** Where it was found. */
interface Found extends Handler {
  readonly wrapper: InstanceWrapper;
  readonly type: Type;
}

/** The handlers of each queue, by the names of their jobs. */
export type Handlers = ReadonlyMap<string, ReadonlyMap<string, Handler>>;

/** Finds every method with `@JobHandler`, and gives it what a controller's has: guards, pipes, interceptors, filters. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly contexts: ExternalContextCreator,
    private readonly modules: ModuleRef,
  ) {}

  /**
   * @throws InvalidOptionsError for decorators that nothing would come of; ConflictingHandlersError when two methods handle
   * the same jobs.
   */
  explore(): Handlers {
    const found = new Map<string, Map<string, Found>>();
    const problems: string[] = [];
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const type = classOf(wrapper);
      if (type === undefined) continue;
      const queue = queueOf(type);
      const methods = this.scanner.getAllMethodNames(type.prototype as object);
      problems.push(...problemsOf(type, methods));
      if (queue === undefined) continue;
      const handlers = found.get(queue) ?? new Map<string, Found>();
      found.set(queue, handlers);
      for (const method of methods) this.#add(handlers, queue, wrapper, type, method);
    }
    if (problems.length > 0) throw new InvalidOptionsError('QueueModule', problems);
    return found;
  }

  #add(handlers: Map<string, Found>, queue: string, wrapper: InstanceWrapper, type: Type, method: string): void {
    const callback = methodOf(type, method);
    const at = `${type.name}.${method}`;
    for (const { name } of handlersOf(callback)) {
      const one: Found = {
        at,
        body: this.#bodyOf(wrapper, type, method),
        schedules: schedulesOf(callback),
        wrapper,
        type,
      };
      const other = handlers.get(name);
      if (other?.at === at && other.wrapper.instance === wrapper.instance) continue; // it has two tokens
      if (other !== undefined) throw conflictOf(queue, other, one);
      handlers.set(name, one);
    }
  }

  #bodyOf(wrapper: InstanceWrapper, type: Type, method: string): JobBody {
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient)
      return this.#proxy(wrapper.instance as Instance, method);
    return async (job, abort) => {
      const context = ContextIdFactory.create();
      this.modules.registerRequestByContextId(job, context);
      const instance = await this.modules.resolve<Instance>(type, context, { strict: false });
      return this.#proxy(instance, method, { context, inquirer: wrapper.id })(job, abort);
    };
  }

  #proxy(instance: Instance, method: string, scoped?: { context: { id: number }; inquirer: string }): JobBody {
    const args = [instance, instance[method]!, method, PARAMETERS, NO_OTHER_PARAMETERS] as const;
    const run = this.contexts.create(...args, scoped?.context, scoped?.inquirer, ENHANCERS, 'job') as JobBody;
    const isDecorated = Reflect.hasMetadata(PARAMETERS, instance.constructor, method);
    return isDecorated ? run : (job, abort) => run(job, abort.signal as never); // it is given the arguments as they are
  }
}

/** Gives a job to the method that handles its name. */
export function dispatch(queue: string, handlers: ReadonlyMap<string, Handler>): JobBody {
  return async (job: Job, abort) => {
    const handler = handlers.get(job.name);
    if (handler === undefined) throw final(new NoHandlerError(queue, job.name));
    return handler.body(job, abort);
  };
}

type Type = abstract new (...args: never[]) => object;

/** The class of a provider, however it is provided. */
function classOf(wrapper: InstanceWrapper): Type | undefined {
  if (wrapper.isAlias) return undefined;
  const type = wrapper.isNotMetatype ? (wrapper.instance as object | undefined)?.constructor : wrapper.metatype;
  return typeof type === 'function' && type.prototype !== undefined ? (type as Type) : undefined;
}

function methodOf(type: Type, method: string): object {
  return (type.prototype as Instance)[method]!;
}

/** Decorators of which nothing would come, without a word. */
function problemsOf(type: Type, methods: readonly string[]): string[] {
  const handles = (method: string) => handlersOf(methodOf(type, method)).length > 0;
  const problems = methods
    .filter((method) => !handles(method) && schedulesOf(methodOf(type, method)).length > 0)
    .map((method) => `${type.name}.${method} has @JobSchedule, and no @JobHandler that says which job it adds`);
  const handlers = methods.filter(handles);
  if (queueOf(type) === undefined) {
    const which = 'and its class no @JobWorker that says of which queue';
    return [...problems, ...handlers.map((method) => `${type.name}.${method} has @JobHandler, ${which}`)];
  }
  if (handlers.length === 0) problems.push(`${type.name} has @JobWorker, and no method with @JobHandler`);
  return problems;
}

function conflictOf(queue: string, ...both: readonly [Found, Found]): ConflictingHandlersError {
  const [{ at, type }, other] = both;
  if (type !== other.type) return new ConflictingHandlersError(queue, [at, other.at]);
  const places = both.map((one) => `${one.at} in ${one.wrapper.host?.name}`);
  return new ConflictingHandlersError(
    queue,
    places,
    `Provide ${type.name} in one module, once, and import that module where it is needed.`,
  );
}
