import { Redis, type RedisOptions } from 'ioredis';
import { internalsOf } from './client-internals.js';
import { settingsFor, type ConnectionRole } from './connection-settings.js';
import { addressOptions, parseRedisUrl, readPassword } from './connection-url.js';
import type { ResolvedConnection } from './redis.options.js';

/** Makes the clients of one connection: its address and login with the settings of a role. */
export class ClientFactory {
  readonly #address: RedisOptions;

  constructor(
    name: string,
    private readonly options: ResolvedConnection,
    private readonly onUnreadable: (error: Error) => void,
  ) {
    const { url, client, tls } = options;
    this.#address = url === undefined ? { ...client!.options, keyPrefix: '' } : addressOptions(parseRedisUrl(url), tls);
    this.#address.connectionName = `roost:${name}`;
  }

  /** The number of the database. */
  get database(): number {
    return this.#address.db ?? 0;
  }

  create(role: ConnectionRole, overrides: RedisOptions = {}): Redis {
    const client = new Redis({ ...this.#optionsFor(role), ...overrides });
    if (role === 'worker' || role === 'blocking' || role === 'subscriber') client.on('close', () => flush(client));
    const { retryStrategy } = client.options;
    if (this.options.passwordFile !== undefined && retryStrategy) {
      client.options.retryStrategy = (attempt) => {
        Object.assign(client.options, this.#login());
        return retryStrategy(attempt);
      };
    }
    return client;
  }

  #optionsFor(role: ConnectionRole): RedisOptions {
    const { connectTimeoutMs, commandTimeoutMs } = this.options;
    const timing = { connectTimeoutMs, socketTimeoutMs: Math.max(1_000, 2 * commandTimeoutMs) };
    return { ...this.#address, ...settingsFor(role, timing), ...this.#login() };
  }

  /** Takes the password out of a text that someone else wrote. */
  redact(text: string): string {
    const { password } = this.#address;
    return password ? text.replaceAll(password, '***') : text;
  }

  /** A secret that is being replaced may be missing or unreadable for a moment: the last password stays. */
  #login(): RedisOptions {
    if (this.options.passwordFile === undefined) return {};
    try {
      this.#address.password = readPassword(this.options.passwordFile);
    } catch (error) {
      this.onUnreadable(error as Error);
    }
    return { password: this.#address.password };
  }
}

/**
 * Rejects what was sent and not answered. A client that waits for its server for ever, and does not send twice, forgets it
 * without a word.
 */
function flush(client: Redis): void {
  internalsOf(client).flushQueue(new Error('Connection is closed.'), { offlineQueue: false });
}
