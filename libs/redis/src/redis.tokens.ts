import { Inject } from '@nestjs/common';

/** The token of a connection's raw client. */
export function getRedisToken(connection = 'default'): string {
  return `roost:redis:${connection}`;
}

/** The token of a connection's `Backend`. */
export function getBackendToken(connection = 'default'): string {
  return `roost:backend:${connection}`;
}

/**
 * Injects the raw ioredis client of a connection, for a team's own use.
 * @example constructor(@InjectRedis() private readonly redis: Redis) {}
 */
export function InjectRedis(connection?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getRedisToken(connection));
}

/**
 * Injects the `Backend` of a connection.
 * @example constructor(@InjectBackend('locks') private readonly backend: Backend) {}
 */
export function InjectBackend(connection?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getBackendToken(connection));
}
