import type { Announcer } from './announcer.js';
import { show } from './duration.js';
import { InvalidOptionsError } from './redis.errors.js';
import type { RedisConnection } from './redis-connection.js';

/** The named connections of this application. */
export class RedisConnections {
  constructor(
    private readonly byName: ReadonlyMap<string, RedisConnection>,
    private readonly announcer: Announcer,
  ) {}

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

  /** Closes what Roost opened. */
  async close(): Promise<void> {
    this.announcer.close();
    await Promise.all(this.all().map((connection) => connection.close()));
  }
}
