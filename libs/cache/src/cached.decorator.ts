import { Inject } from '@nestjs/common';
import { InvalidOptionsError, resembling, show } from '@roost/redis';
import type { CacheOptions } from './cache.options.js';
import { CacheService } from './cache.service.js';

/** Made from the method's arguments, or always the same. */
type FromArguments<Args extends unknown[], Made> = Made | ((...args: Args) => Made);

/** How the result of a method is kept; beside `key` and `tags` as in every call of the cache. */
export interface CachedOptions<Args extends unknown[]> extends Omit<CacheOptions, 'tags'> {
  /** A text, or what makes one from the arguments: another key for each result. */
  readonly key: FromArguments<Args, string>;
  readonly tags?: FromArguments<Args, readonly string[]>;
}

/** What is invalidated when a method has ended well. */
export interface CacheEvictOptions<Args extends unknown[]> {
  readonly key?: FromArguments<Args, string | readonly string[]>;
  readonly tags?: FromArguments<Args, readonly string[]>;
}

type Method<Args extends unknown[]> = (...args: Args) => Promise<unknown>;
/** The method may have more arguments than its key and its tags are made from. */
type Decorator<Args extends unknown[]> = <M extends Method<[...Args, ...never[]]>>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

const SERVICE = Symbol('roost:cache');
const OPTIONS = Symbol('roost:cached-options');

/**
 * Gives the result that the method had, and runs it when there is none: once for all who call it at the same time, in all
 * processes. What the method throws passes unchanged. An application without `CacheModule`, or with options that are wrong,
 * does not start.
 * @example
 * @Cached({ key: (id: string) => `user:${id}`, ttl: '5m', tags: (id: string) => [`user:${id}`] })
 * async find(id: string): Promise<User> { … }
 */
export function Cached<Args extends unknown[] = never[]>(options: CachedOptions<Args>): Decorator<Args> {
  return (target, name, descriptor) => {
    const at = nameOf('Cached', target, name);
    const { key, tags, ...rest } = options;
    if (typeof key !== 'function' && (typeof key !== 'string' || key === '')) {
      throw new InvalidOptionsError(at, [`Expected \`key\` to be a text or a function, got ${show(key)}`]);
    }
    const fixed: CacheOptions = typeof tags === 'function' || tags === undefined ? rest : { ...rest, tags };
    wrap<Args>(at, target, descriptor, (cache, run, args) =>
      cache.getOrSet(made(key, args), run, typeof tags === 'function' ? { ...rest, tags: tags(...args) } : fixed),
    );
    Reflect.defineMetadata(OPTIONS, [...cachedOptionsOf(descriptor.value!), fixed], descriptor.value!);
  };
}

/**
 * Invalidates after the method has ended well; before its caller hears of it.
 * @example
 * @CacheEvict({ tags: (id: string) => [`user:${id}`] })
 * async rename(id: string, name: string): Promise<void> { … }
 */
export function CacheEvict<Args extends unknown[] = never[]>(options: CacheEvictOptions<Args>): Decorator<Args> {
  return (target, name, descriptor) => {
    const at = nameOf('CacheEvict', target, name);
    const { key, tags } = options;
    if (key === undefined && tags === undefined) throw new InvalidOptionsError(at, ['Expected a `key` or `tags`']);
    wrap<Args>(at, target, descriptor, async (cache, run, args) => {
      const result = await run();
      const keys = key === undefined ? [] : made(key, args);
      await Promise.all([
        cache.deleteMany(typeof keys === 'string' ? [keys] : keys),
        tags === undefined ? undefined : cache.invalidateTags(...made(tags, args)),
      ]);
      return result;
    });
  };
}

/** The options of each cache that a method's results are kept in. */
export function cachedOptionsOf(method: object): readonly CacheOptions[] {
  return (Reflect.getMetadata(OPTIONS, method) ?? []) as readonly CacheOptions[];
}

function wrap<Args extends unknown[]>(
  at: string,
  target: object,
  descriptor: PropertyDescriptor,
  around: (cache: CacheService, run: () => Promise<unknown>, args: Args) => Promise<unknown>,
): void {
  if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
    throw new InvalidOptionsError(at, ['Expected a method of an instance, not a static one, a field or an accessor']);
  }
  // Nest resolves it with the class's own dependencies: without the module the boot fails, and says so.
  Inject(CacheService)(target, SERVICE);
  const method = descriptor.value as Method<Args>;
  async function cached(this: Record<symbol, CacheService>, ...args: Args): Promise<unknown> {
    const cache = this[SERVICE];
    if (!cache) throw new InvalidOptionsError(at, ['Expected an object that Nest made: this one was given no cache']);
    return around(cache, () => method.apply(this, args), args);
  }
  descriptor.value = resembling(method, cached as Method<Args>);
}

function made<Args extends unknown[], Made>(from: FromArguments<Args, Made>, args: Args): Made {
  return typeof from === 'function' ? (from as (...args: Args) => Made)(...args) : from;
}

function nameOf(decorator: string, target: object, name: string | symbol): string {
  return `@${decorator} on ${(typeof target === 'function' ? target : target.constructor).name}.${String(name)}`;
}
