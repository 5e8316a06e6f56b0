import { Command } from 'ioredis';
import { channel } from 'node:diagnostics_channel';
import { Commands, type CommandArg } from './commands.js';
import type { Deadlines } from './deadlines.js';
import { classifyError, type ErrorClass } from './error-class.js';
import { Key } from './key.js';
import type { Lane } from './lane.js';
import { CrossSlotError, RedisReplyError, RedisTimeoutError, RedisUnavailableError } from './redis.errors.js';
import type { ByName, Script, ScriptArg } from './script.js';

export type Direction = 'read' | 'write';

/** What the connection wants to know of each command. */
export interface CommandObserver {
  /** `command` is the command's or the script's name, never its arguments. */
  finished(direction: Direction, command: string, durationMs: number, failure?: ErrorClass, message?: string): void;
}

/** Published on `roost:redis:command` after each command. */
export interface CommandMessage {
  readonly connection: string;
  readonly command: string;
  readonly direction: Direction;
  readonly durationMs: number;
  readonly failure: ErrorClass | undefined;
}

const commandChannel = channel('roost:redis:command');

/** Commands over TCP to one server: reads and writes on connections of their own, so that neither blocks the other. */
export class RedisCommands extends Commands {
  constructor(
    private readonly connection: string,
    private readonly prefix: string,
    private readonly lanes: Record<Direction, Lane>,
    private readonly deadlines: Deadlines,
    private readonly observer: CommandObserver,
  ) {
    super();
  }

  read<T>(command: string, ...args: CommandArg[]): Promise<T> {
    return this.#send('read', command, command, args) as Promise<T>;
  }

  write<T>(command: string, ...args: CommandArg[]): Promise<T> {
    return this.#send('write', command, command, args) as Promise<T>;
  }

  async pipeline(direction: Direction, commands: readonly (readonly [string, ...CommandArg[]])[]): Promise<unknown[]> {
    const sent = commands.map(([command, ...args]) => this.#send(direction, command, command, args));
    const settled = await Promise.allSettled(sent);
    return settled.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as unknown)));
  }

  async run<Keys extends readonly string[], Args extends readonly string[], Reply>(
    script: Script<Keys, Args, Reply>,
    keys: ByName<Keys, Key>,
    args: ByName<Args, ScriptArg>,
  ): Promise<Reply> {
    const keyList = script.keysOf(keys);
    if (keyList.some((key) => key.slot !== keyList[0]!.slot)) throw new CrossSlotError(script.name);
    const rest = [keyList.length, ...keyList, ...script.argsOf(args)];
    const direction = script.readOnly ? 'read' : 'write';
    try {
      return script.reply(await this.#send(direction, script.name, 'evalsha', [script.sha1, ...rest]));
    } catch (error) {
      if (!(error instanceof RedisReplyError && error.message.startsWith('NOSCRIPT'))) throw error;
      return script.reply(await this.#send(direction, script.name, 'eval', [script.lua, ...rest]));
    }
  }

  #send(direction: Direction, label: string, name: string, args: readonly CommandArg[]): Promise<unknown> {
    const lane = this.#laneFor(direction);
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      const settle = (failure?: ErrorClass, message?: string) => {
        const durationMs = performance.now() - startedAt;
        this.observer.finished(direction, label, durationMs, failure, message);
        if (commandChannel.hasSubscribers) {
          const { connection } = this;
          commandChannel.publish({
            connection,
            command: label,
            direction,
            durationMs,
            failure,
          } satisfies CommandMessage);
        }
      };
      const command = new Command(name.toLowerCase(), args.map(this.#wire), { replyEncoding: 'utf8' });
      let expired = false;
      const stop = this.deadlines.start(() => {
        expired = true;
        const error = new RedisTimeoutError(label, this.deadlines.timeoutMs);
        settle('timeout', error.message);
        reject(error);
      });
      command.promise.then(
        (reply) => {
          if (expired) return;
          stop();
          settle();
          resolve(reply);
        },
        (error: Error) => {
          if (expired) return;
          stop();
          const failure = classifyError(error);
          const roostError = toRoostError(error, failure, label, written && error.name !== 'ReplyError');
          if (error.message.startsWith('NOSCRIPT')) settle();
          else settle(failure, roostError.message);
          reject(roostError);
        },
      );
      const written = lane.ready;
      if (written) lane.cork.hold((lane.client as unknown as { stream?: import('node:net').Socket }).stream);
      void lane.client.sendCommand(command);
    });
  }

  /** The read lane opens at the first read; until it stands, reads travel with the writes. */
  #laneFor(direction: Direction): Lane {
    const { read, write } = this.lanes;
    if (direction === 'write' || read.ready) return this.lanes[direction];
    read.open();
    return write.ready ? write : read;
  }

  readonly #wire = (arg: CommandArg): string | number | Buffer =>
    arg instanceof Key ? `${this.prefix}:${arg.name}` : arg;
}

/** A client's error carries the command with its arguments, which may be secrets: only its message goes on. */
function toRoostError(error: Error, failure: ErrorClass, label: string, outcomeUnknown: boolean): Error {
  const message = error.message.replace(/,? with args beginning with:.*$/s, ''); // Redis repeats what it was sent
  if (failure === 'bug') return new RedisReplyError(message);
  return new RedisUnavailableError(failure, `Redis cannot serve ${label}: ${message}`, outcomeUnknown);
}
