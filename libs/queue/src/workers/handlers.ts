import { Injectable } from '@nestjs/common';
import { ContextIdFactory, DiscoveryService, ExternalContextCreator, MetadataScanner, ModuleRef } from '@nestjs/core';
import type { Job } from 'bullmq';
import { ConflictingHandlersError, NoHandlerError } from '../queue.errors.js';
import { handlersOf, queueOf, schedulesOf, type ScheduleMetadata } from './job-handler.decorator.js';
import { final, type JobBody } from './job-runner.js';

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

  /** @throws ConflictingHandlersError when two methods handle the same jobs. */
  explore(): Handlers {
    const found = new Map<string, Map<string, Handler>>();
    for (const wrapper of this.discovery.getProviders()) {
      const type = classOf(wrapper);
      const queue = type && queueOf(type);
      if (type === undefined || queue === undefined) continue;
      const handlers = found.get(queue) ?? new Map<string, Handler>();
      found.set(queue, handlers);
      for (const method of this.scanner.getAllMethodNames(type.prototype as object)) {
        this.#add(handlers, queue, wrapper, type, method);
      }
    }
    return found;
  }

  #add(handlers: Map<string, Handler>, queue: string, wrapper: InstanceWrapper, type: Type, method: string): void {
    const callback = (type.prototype as Instance)[method]!;
    const at = `${type.name}.${method}`;
    for (const { name } of handlersOf(callback)) {
      const other = handlers.get(name);
      if (other !== undefined) throw new ConflictingHandlersError(queue, [other.at, at]);
      handlers.set(name, { at, body: this.#bodyOf(wrapper, type, method), schedules: schedulesOf(callback) });
    }
  }

  #bodyOf(wrapper: InstanceWrapper, type: Type, method: string): JobBody {
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient)
      return this.#proxy(wrapper.instance as Instance, method);
    return async (job, signal) => {
      const context = ContextIdFactory.create();
      this.modules.registerRequestByContextId(job, context);
      const instance = await this.modules.resolve<Instance>(type, context, { strict: false });
      return this.#proxy(instance, method, { context, inquirer: wrapper.id })(job, signal);
    };
  }

  #proxy(instance: Instance, method: string, scoped?: { context: { id: number }; inquirer: string }): JobBody {
    const args = [instance, instance[method]!, method, PARAMETERS, NO_OTHER_PARAMETERS] as const;
    return this.contexts.create(...args, scoped?.context, scoped?.inquirer, ENHANCERS, 'job') as JobBody;
  }
}

/** Gives a job to the method that handles its name. */
export function dispatch(queue: string, handlers: ReadonlyMap<string, Handler>): JobBody {
  return async (job: Job, signal) => {
    const handler = handlers.get(job.name);
    if (handler === undefined) throw final(new NoHandlerError(queue, job.name));
    return handler.body(job, signal);
  };
}

type Type = abstract new (...args: never[]) => object;

/** The class of a provider, however it is provided. */
function classOf(wrapper: InstanceWrapper): Type | undefined {
  if (wrapper.isAlias) return undefined;
  const type = wrapper.isNotMetatype ? (wrapper.instance as object | undefined)?.constructor : wrapper.metatype;
  return typeof type === 'function' && type.prototype !== undefined ? (type as Type) : undefined;
}
