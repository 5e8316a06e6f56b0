import { Module } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { HandlerExplorer } from './handlers.js';
import { WorkersLifecycle } from './workers.lifecycle.js';

/**
 * The workers, which start when the whole application is up, and stop before anything else of it does. Nest calls the hooks
 * of modules by their distance from the root: last at the boot and first at the shutdown is who is nearer than the root.
 */
@Module({ imports: [DiscoveryModule], providers: [HandlerExplorer, WorkersLifecycle] })
export class WorkersModule {
  constructor(modules: ModulesContainer) {
    for (const each of modules.values()) if (each.metatype === WorkersModule) each.distance = -1;
  }
}
