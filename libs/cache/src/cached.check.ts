import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { InvalidOptionsError, methodsOf } from '@roost/redis';
import { InvalidCacheOptionsError } from './cache.errors.js';
import type { CacheOptions } from './cache.options.js';
import { Plans } from './cache.plan.js';
import { cachedOptionsOf } from './cached.decorator.js';
import { Codecs } from './values/codecs.js';

/** Looks at the options of every `@Cached` while the application starts, and not when the method is first called. */
@Injectable()
export class CachedCheck implements OnModuleInit {
  readonly #plans = new Plans({}, new Codecs());

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** @throws InvalidOptionsError that names every problem of every method. */
  onModuleInit(): void {
    const problems = [...methodsOf(this.discovery, this.scanner)].flatMap(({ at, method }) =>
      cachedOptionsOf(method).flatMap((options) =>
        this.#problemsOf(options).map((each) => `@Cached on ${at}: ${each}`),
      ),
    );
    if (problems.length > 0) throw new InvalidOptionsError('CacheModule', [...new Set(problems)]);
  }

  #problemsOf(options: CacheOptions): readonly string[] {
    try {
      this.#plans.of(options);
      return [];
    } catch (error) {
      if (error instanceof InvalidCacheOptionsError) return error.problems;
      throw error;
    }
  }
}
