import type { Commands } from './commands.js';
import type { ConnectionMetrics } from './connection-metrics.js';
import type { ClientFactory } from './client-factory.js';
import { Deadlines } from './deadlines.js';
import { Lane, type Heartbeat } from './lane.js';
import type { OutageWatch } from './outage-watch.js';
import { RedisCommands, type CommandObserver } from './redis-commands.js';

/** Commands over connections that one feature has for itself. */
export interface Dedicated {
  readonly commands: Commands;
  /** The same Redis over another socket: for a second try when the first socket leads nowhere. */
  readonly again: Commands;
}

/** What the connections of a feature are made of. */
export interface DedicatedContext {
  readonly connection: string;
  readonly keyPrefix: string;
  readonly commandTimeoutMs: number;
  readonly heartbeat: Heartbeat;
  readonly clients: ClientFactory;
  readonly metrics: ConnectionMetrics;
  readonly watch: OutageWatch;
}

/** Two connections that nobody else uses: no other feature's commands, timeouts or lost sockets are in their way. */
export class DedicatedLanes implements Dedicated {
  readonly commands: Commands;
  readonly again: Commands;
  readonly lanes: readonly { readonly role: string; readonly lane: Lane }[];

  constructor(role: string, context: DedicatedContext) {
    const { clients, metrics, heartbeat } = context;
    this.lanes = [role, `${role}-again`].map((name) => ({
      role: name,
      lane: new Lane(clients.create('command'), heartbeat, {
        ready: () => undefined,
        lost: (errorClass, wasReady) => {
          metrics.error(errorClass);
          if (wasReady) metrics.reconnect(name);
        },
      }),
    }));
    const [commands, again] = this.lanes.map(({ lane }) => commandsOver(lane, context));
    this.commands = commands!;
    this.again = again!;
  }

  open(): void {
    for (const { lane } of this.lanes) lane.open();
  }

  /** Redis is known to be there. */
  hurry(): void {
    for (const { lane } of this.lanes) lane.hurry();
  }
}

function commandsOver(lane: Lane, { connection, keyPrefix, commandTimeoutMs, metrics, watch }: DedicatedContext) {
  const observer: CommandObserver = {
    finished: (direction, command, durationMs, failure, message) => {
      // That this one socket is cut says nothing of Redis: the shared connections know by themselves.
      if (failure === 'unreachable') metrics.command(command, durationMs, failure);
      else watch.finished(direction, command, durationMs, failure, message);
    },
  };
  const lanes = { read: lane, write: lane };
  return new RedisCommands(connection, keyPrefix, lanes, new Deadlines(commandTimeoutMs), observer, true);
}
