import { Reflector } from '@nestjs/core';
import type { CacheResponseOptions } from './http-cache.options.js';

/** Holds what `@CacheResponse` was given. */
export const cachedResponse = Reflector.createDecorator<CacheResponseOptions | false>();
