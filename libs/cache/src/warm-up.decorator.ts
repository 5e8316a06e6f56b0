import { Inject } from '@nestjs/common';
import { InvalidOptionsError, show, type Duration } from '@roost/redis';
import type { WarmEntry } from './cache.options.js';
import { CacheService } from './cache.service.js';
import { milliseconds } from './cache.plan.js';

/** How what a method names is loaded when the application starts. */
export interface WarmUpOptions {
  /** How many are loaded at a time. @default 4 */
  readonly concurrency?: number;
  /** After that nothing more is begun. @default '30s' */
  readonly within?: Duration;
}

/** The options of a {@link WarmUp} with nothing left open. */
export interface WarmUpPlan {
  readonly concurrency: number;
  readonly withinMs: number;
}

type Naming = () => readonly WarmEntry[] | Promise<readonly WarmEntry[]>;

const SERVICE = Symbol('roost:cache');
const PLAN = Symbol('roost:warm-up');

/**
 * Loads what the method names, in the background, once the application has started: nobody waits for it, and what fails is
 * loaded when it is asked for. What is there already, from another process, is not loaded again.
 * @example
 * @WarmUp({ concurrency: 2 })
 * popular(): WarmEntry[] { return CITIES.map((city) => ({ key: `city:${city}`, load: () => this.load(city) })); }
 */
export function WarmUp({ concurrency = 4, within = '30s' }: WarmUpOptions = {}) {
  return <N extends Naming>(target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<N>): void => {
    const at = `@WarmUp on ${target.constructor.name}.${String(name)}`;
    const problems: string[] = [];
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      problems.push('Expected a method of an instance, not a static one, a field or an accessor');
    }
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      problems.push(`Expected \`concurrency\` to be a positive integer, got ${show(concurrency)}`);
    }
    const withinMs = milliseconds('within', within, { orZero: false, most: 3_600_000 }, problems)!;
    if (problems.length > 0) throw new InvalidOptionsError(at, problems);
    // Nest resolves it with the class's own dependencies: without the module the boot fails, and says so.
    Inject(CacheService)(target, SERVICE);
    Reflect.defineMetadata(PLAN, { concurrency, withinMs } satisfies WarmUpPlan, descriptor.value!);
  };
}

/** How a method warms up; undefined when it does not. */
export function warmUpPlanOf(method: object): WarmUpPlan | undefined {
  return Reflect.getMetadata(PLAN, method) as WarmUpPlan | undefined;
}
