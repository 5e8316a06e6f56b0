import { show } from './duration.js';
import { InvalidOptionsError } from './redis.errors.js';
import type { RedisConnection } from './redis-connection.js';

/** The named connections of this application. */
export class RedisConnections {
  constructor(private readonly byName: ReadonlyMap<string, RedisConnection>) {}

  /** @throws InvalidOptionsError when there is no such connection. */
  get(name = 'default'): RedisConnection {
    const connection = this.byName.get(name);
    if (connection === undefined) {
      throw new InvalidOptionsError('Roost', [
        `There is no connection ${show(name)}; RedisModule knows ${[...this.byName.keys()].join(', ')}`,
      ]);
    }
    return connection;
  }

  all(): readonly RedisConnection[] {
    return [...this.byName.values()];
  }
}
