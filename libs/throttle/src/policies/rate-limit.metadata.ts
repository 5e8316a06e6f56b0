import { Reflector } from '@nestjs/core';
import type { PolicyRef } from '../throttle.options.js';

/** Holds what `@RateLimit` was given. */
export const rateLimited = Reflector.createDecorator<readonly PolicyRef[]>();

/** Marks what `@SkipRateLimit` was put on. */
export const unlimited = Reflector.createDecorator<boolean>();
