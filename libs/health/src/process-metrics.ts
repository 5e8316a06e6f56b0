import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Metrics } from '@roost/redis';
import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';
import { HEALTH_SETTINGS } from './health.module-definition.js';
import type { HealthSettings } from './health.options.js';

/** Writes one reading of the process into its gauges and counters. */
type Reading = () => void;

/**
 * The process itself, by the names that dashboards for Node.js know from prom-client. Read when Prometheus asks, and let go
 * with the application, of which there may be several in one process.
 */
@Injectable()
export class ProcessMetrics implements OnModuleInit, OnApplicationShutdown {
  #readings: readonly Reading[] = [];
  #delay?: IntervalHistogram;

  constructor(
    private readonly metrics: Metrics,
    @Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings,
  ) {}

  onModuleInit(): void {
    if (!this.settings.processMetrics) return;
    this.#delay = monitorEventLoopDelay({ resolution: 10 });
    this.#delay.enable();
    this.#readings = [this.#cpu(), this.#memory(), this.#eventLoop(this.#delay)];
    this.metrics
      .gauge('process_start_time_seconds', 'Start of the process, Unix time')
      .set(performance.timeOrigin / 1_000);
    this.metrics
      .gauge('nodejs_version_info', 'The Node.js that runs', ['version'])
      .set({ version: process.version }, 1);
  }

  /** Brings the metrics up to date. */
  read(): void {
    for (const reading of this.#readings) reading();
  }

  onApplicationShutdown(): void {
    this.#delay?.disable();
  }

  #cpu(): Reading {
    const total = this.metrics.counter('process_cpu_seconds_total', 'CPU time, user and system');
    let countedUs = 0;
    return () => {
      const { user, system } = process.cpuUsage();
      total.inc((user + system - countedUs) / 1e6);
      countedUs = user + system;
    };
  }

  #memory(): Reading {
    const resident = this.metrics.gauge('process_resident_memory_bytes', 'Resident memory');
    const used = this.metrics.gauge('nodejs_heap_size_used_bytes', 'Heap in use');
    const total = this.metrics.gauge('nodejs_heap_size_total_bytes', 'Heap reserved');
    const external = this.metrics.gauge(
      'nodejs_external_memory_bytes',
      'Memory of C++ objects bound to JavaScript ones',
    );
    return () => {
      const memory = process.memoryUsage();
      resident.set(memory.rss);
      used.set(memory.heapUsed);
      total.set(memory.heapTotal);
      external.set(memory.external);
    };
  }

  #eventLoop(delay: IntervalHistogram): Reading {
    const p50 = this.metrics.gauge(
      'nodejs_eventloop_lag_p50_seconds',
      'Median lag of the event loop since the last scrape',
    );
    const p99 = this.metrics.gauge('nodejs_eventloop_lag_p99_seconds', '99th percentile of the same');
    const max = this.metrics.gauge('nodejs_eventloop_lag_max_seconds', 'Maximum of the same');
    return () => {
      p50.set(delay.percentile(50) / 1e9);
      p99.set(delay.percentile(99) / 1e9);
      max.set(delay.max / 1e9);
      delay.reset();
    };
  }
}
