import { Command, Redis } from 'ioredis';
import { internalsOf } from './client-internals.js';
import { RedisNotConfiguredError } from './redis.errors.js';

/** How long a command that does not block may take. */
const COMMAND_TIMEOUT_MS = 1_000;

/**
 * A client for a team's own use, apart from Roost's connections, so that a blocking command of theirs never blocks
 * Roost. It connects at its first command. Until it has connected once, commands wait for that; later they fail at once
 * while it is lost. A command that is not answered in a second is given up, and the socket with it; blocking commands
 * may take as long as they like.
 */
export function rawClient(connection: string, configured: Redis | undefined): Redis {
  const client = configured ?? new Redis({ lazyConnect: true });
  client.on('error', () => undefined); // the commands themselves reject; unheard errors would be printed
  client.once('ready', () => (client.options.enableOfflineQueue = false));
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream) => {
    if (configured === undefined) command.reject(new RedisNotConfiguredError(connection));
    else if (!Command.checkFlag('BLOCKING_COMMANDS', command.name)) giveUpInTime(client, command);
    return configured === undefined ? command.promise : send(command, stream);
  };
  return client;
}

/** A socket on which a command timed out is not trusted again; what waits for it to open is given up with it. */
function giveUpInTime(client: Redis, command: Command): void {
  command.setTimeout(COMMAND_TIMEOUT_MS);
  command.promise.catch((error: Error) => {
    if (error.message === 'Command timed out') internalsOf(client).stream?.destroy();
  });
}
