import { BullRegistrar, ProcessorDecoratorService, QueueEventsHost, WorkerHost } from '@nestjs/bullmq';
import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import { methodsOf } from '@roost/redis';
import type { Job } from 'bullmq';
import { QueueConfig } from '../queue.config.js';
import { QueueRoom } from '../queue.room.js';
import { writtenStreamConsumersOf } from '../streams/stream-consumer.decorator.js';
import { StreamConsumers } from '../streams/stream-consumers.js';
import { HandlerExplorer, type Handlers } from './handlers.js';
import type { BullHosts } from './queue-workers.js';

type Process = (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>;

/** Runs the workers from the end of the boot to the beginning of the shutdown. */
@Injectable()
export class WorkersLifecycle
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  #handlers: Handlers = new Map();

  constructor(
    private readonly config: QueueConfig,
    private readonly room: QueueRoom,
    private readonly explorer: HandlerExplorer,
    private readonly discovery: DiscoveryService,
    private readonly modules: ModuleRef,
    private readonly scanner: MetadataScanner,
    private readonly streams: StreamConsumers,
  ) {}

  /** @throws ConflictingHandlersError */
  async onModuleInit(): Promise<void> {
    this.#handlers = this.explorer.explore();
    for (const { at, method, call } of methodsOf(this.discovery, this.scanner)) {
      for (const { stream, options } of writtenStreamConsumersOf(method)) {
        this.streams.add({ at, stream, options, handle: async (message) => call(message) });
      }
    }
    await this.room.open();
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.room.settle();
    if (!this.config.workers) return;
    this.#decorateHosts();
    const registrar = this.modules.get(BullRegistrar, { strict: false });
    this.room.start(this.#handlers, registrar, () => this.#hosts());
    this.streams.start();
  }

  /** The server still answers requests; jobs are taken by others. */
  onModuleDestroy(): Promise<void> {
    return this.room.stopTaking();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.room.drain(), this.streams.stop(this.config.drainMs)]);
  }

  /** Timeouts, expiry, limits and the shutdown are those of every job, also of one that `WorkerHost.process` handles. */
  #decorateHosts(): void {
    const service = this.modules.get(ProcessorDecoratorService, { strict: false });
    // With two parameters: to three BullMQ hands a signal of its own, which it makes for every job.
    service.decorate = ((process: Process): Process =>
      (job, token = '') =>
        this.room.runner.run(job, token, async (same, abort) => process(same, token, abort.signal))) as never;
  }

  #hosts(): BullHosts {
    const instances = this.discovery.getProviders().map(({ instance }) => instance as unknown);
    return {
      workers: instances.filter((each) => each instanceof WorkerHost).filter((host) => has(() => host.worker)),
      listeners: instances
        .filter((each) => each instanceof QueueEventsHost)
        .filter((host) => has(() => host.queueEvents)),
    };
  }
}

/** A class without its decorator was given nothing. */
function has(get: () => unknown): boolean {
  try {
    return get() !== undefined;
  } catch {
    return false;
  }
}
