import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { InvalidOptionsError, methodsOf } from '@roost/redis';
import { AcquireDefaults } from './acquire.options.js';
import { LockConfig } from './lock.config.js';
import { InvalidLockOptionsError } from './lock.errors.js';
import { lockOptionsOf } from './with-lock.decorator.js';

/** Looks at the options of every `@WithLock` while the application starts, and not when the method is first called. */
@Injectable()
export class WithLockCheck implements OnModuleInit {
  readonly #defaults: AcquireDefaults;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    config: LockConfig,
  ) {
    this.#defaults = new AcquireDefaults(config);
  }

  /** @throws InvalidOptionsError that names every problem of every method. */
  onModuleInit(): void {
    const problems = [...methodsOf(this.discovery, this.scanner)].flatMap(({ at, method }) =>
      lockOptionsOf(method).flatMap((options) =>
        this.#problemsOf(options).map((each) => `@WithLock on ${at}: ${each}`),
      ),
    );
    if (problems.length > 0) throw new InvalidOptionsError('LockModule', [...new Set(problems)]);
  }

  #problemsOf(options: Parameters<AcquireDefaults['resolve']>[0]): readonly string[] {
    try {
      this.#defaults.resolve(options);
      return [];
    } catch (error) {
      if (error instanceof InvalidLockOptionsError) return error.problems;
      throw error;
    }
  }
}
