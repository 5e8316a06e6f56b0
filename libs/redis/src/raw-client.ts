import { Redis, type Command } from 'ioredis';
import { RedisNotConfiguredError } from './redis.errors.js';

/**
 * A client for a team's own use, apart from Roost's connections, so that a blocking command of theirs never blocks
 * Roost. It connects at its first command and then behaves as a plain ioredis client without an offline queue.
 */
export function rawClient(connection: string, configured: Redis | undefined): Redis {
  const client = configured ?? new Redis({ lazyConnect: true });
  client.on('error', () => undefined); // the commands themselves reject; unheard errors would be printed
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream) => {
    if (configured === undefined) {
      command.reject(new RedisNotConfiguredError(connection));
      return command.promise;
    }
    if (client.status !== 'wait') return send(command, stream);
    client.connect().then(
      () => void send(command, stream),
      (error: Error) => command.reject(error),
    );
    return command.promise;
  };
  return client;
}
