import { Reflector } from '@nestjs/core';
import type { CachedQueryOptions } from './cached-query.options.js';

/** Holds what `@CachedQuery` was given. */
export const cachedQuery = Reflector.createDecorator<CachedQueryOptions>();
