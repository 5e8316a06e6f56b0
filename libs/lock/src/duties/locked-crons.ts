import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { InvalidOptionsError, Metrics } from '@roost/redis';
import { channel } from 'node:diagnostics_channel';
import { LockConfig } from '../lock.config.js';
import { LockService } from '../lock.service.js';
import { discoverCrons, type CronDuty } from './cron.duties.js';
import { CronFires, type CronFire } from './cron.fires.js';
import { atEachFire, CronClock } from './cron.schedule.js';

const fires = channel('roost:lock:cron');

/** Finds every `@LockedCron`, and runs them from the end of the boot to the beginning of the shutdown. */
@Injectable()
export class LockedCrons implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #runs: CronFires;
  readonly #counter;
  #duties: readonly CronDuty[] = [];
  #stops: readonly (() => void)[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: LockConfig,
    private readonly clock: CronClock,
    locks: LockService,
    metrics: Metrics,
  ) {
    this.#counter = metrics.counter('roost_lock_cron_fires_total', 'Fires of @LockedCron by what became of them here', [
      'name',
      'outcome',
    ]);
    this.#runs = new CronFires(locks, new Logger('LockedCron'), this.clock, (fire) => this.#tell(fire));
  }

  /** @throws InvalidOptionsError that names every problem of every schedule. */
  onModuleInit(): void {
    const problems: string[] = [];
    this.#duties = discoverCrons(this.discovery, this.scanner, this.config, problems);
    if (problems.length > 0) throw new InvalidOptionsError('LockModule', problems);
  }

  onApplicationBootstrap(): void {
    this.#stops = this.#duties.map((duty) =>
      atEachFire(duty.schedule, duty.atLeastMs / 2, this.clock, (fireMs) => void this.#runs.run(duty, fireMs)),
    );
  }

  onModuleDestroy(): void {
    for (const stop of this.#stops) stop();
    this.#runs.close();
  }

  #tell(fire: CronFire): void {
    this.#counter.inc({ name: fire.name, outcome: fire.reason ?? 'ran' });
    if (fires.hasSubscribers) fires.publish(fire);
  }
}
