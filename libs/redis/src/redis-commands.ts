import { Command } from 'ioredis';
import { channel } from 'node:diagnostics_channel';
import { Call, type CallObserver, type Direction } from './call.js';
import { Commands, type CommandArg } from './commands.js';
import type { Deadlines } from './deadlines.js';
import type { ErrorClass } from './error-class.js';
import { Key } from './key.js';
import type { Lane } from './lane.js';
import { CrossSlotError, RedisReplyError } from './redis.errors.js';
import type { ByName, Script, ScriptArg } from './script.js';

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

/** What of a script, or of a command, decides how it is sent and what comes back. */
type Manner = Pick<Script<[], [], unknown>, 'gathered' | 'bytes'>;

const TEXT: Manner = { gathered: false, bytes: false };
const BYTES: Manner = { gathered: false, bytes: true };

const commandChannel = channel('roost:redis:command');

/** Commands over TCP to one server: reads and writes on connections of their own, so that neither blocks the other. */
export class RedisCommands extends Commands implements CallObserver {
  readonly #prefix: string;

  constructor(
    private readonly connection: string,
    prefix: string,
    private readonly lanes: Record<Direction, Lane>,
    private readonly deadlines: Deadlines,
    private readonly observer: CommandObserver,
    /** Whether a connection that is opened for the first time is waited for. */
    private readonly awaitsOpening = false,
  ) {
    super();
    this.#prefix = `${prefix}:`;
  }

  read<T>(command: string, ...args: CommandArg[]): Promise<T> {
    return this.#send('read', command, command, this.#wired(args)) as Promise<T>;
  }

  readBytes<T>(command: string, ...args: CommandArg[]): Promise<T> {
    return this.#send('read', command, command, this.#wired(args), BYTES) as Promise<T>;
  }

  write<T>(command: string, ...args: CommandArg[]): Promise<T> {
    return this.#send('write', command, command, this.#wired(args)) as Promise<T>;
  }

  async pipeline(direction: Direction, commands: readonly (readonly [string, ...CommandArg[]])[]): Promise<unknown[]> {
    const sent = commands.map(([command, ...args]) => this.#send(direction, command, command, this.#wired(args)));
    const settled = await Promise.allSettled(sent);
    return settled.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as unknown)));
  }

  run<Keys extends readonly string[], Args extends readonly string[], Reply>(
    script: Script<Keys, Args, Reply>,
    keys: ByName<Keys, Key>,
    args: ByName<Args, ScriptArg>,
  ): Promise<Reply> {
    const keyList = script.keysOf(keys);
    const wire: ScriptArg[] = [script.sha1, keyList.length];
    for (const key of keyList) {
      if (key.slot !== keyList[0]!.slot) return Promise.reject(new CrossSlotError(script.name));
      wire.push(this.#prefix + key.name);
    }
    for (const arg of script.argsOf(args)) wire.push(arg);
    const direction = script.readOnly ? 'read' : 'write';
    const startedAt = performance.now();
    const sent = this.#send(direction, script.name, 'evalsha', wire, script, startedAt);
    return sent.then(script.reply, (error: Error) => {
      if (!(error instanceof RedisReplyError && error.message.startsWith('NOSCRIPT'))) throw error;
      wire[0] = script.lua;
      return this.#send(direction, script.name, 'eval', wire, script, startedAt).then(script.reply); // within the same deadline
    });
  }

  #send(
    direction: Direction,
    label: string,
    name: string,
    args: ScriptArg[],
    manner: Manner = TEXT,
    startedAt = performance.now(),
  ): Promise<unknown> {
    const lane = this.#laneFor(direction);
    if (this.awaitsOpening && !lane.ready) {
      lane.open();
      const leftMs = startedAt + this.deadlines.timeoutMs - performance.now();
      if (lane.opening && leftMs > 0) {
        return lane.whenReady(leftMs).then(() => this.#send(direction, label, name, args, manner, startedAt));
      }
    }
    const written = lane.ready;
    const alone = this.deadlines.idle;
    const { gathered, bytes } = manner;
    const command = new Command(name, args, { replyEncoding: bytes ? null : 'utf8' });
    // An argument that is no text was rejected while the command was made, before it could be settled in other ways.
    if ((command.reject as unknown) === undefined) return command.promise;
    new Call(command, direction, label, written, this.deadlines, this, startedAt);
    if (written && !alone && !gathered) lane.hold(); // a lone command gains nothing by waiting for the turn's end
    void lane.client.sendCommand(command);
    if (gathered) lane.cork.flush(); // with what was held before it
    return command.promise;
  }

  /** @internal */
  settled({ direction, label, startedAt }: Call, failure?: ErrorClass, message?: string): void {
    const durationMs = performance.now() - startedAt;
    this.observer.finished(direction, label, durationMs, failure, message);
    if (!commandChannel.hasSubscribers) return;
    const { connection } = this;
    commandChannel.publish({ connection, command: label, direction, durationMs, failure } satisfies CommandMessage);
  }

  /** The read lane opens at the first read; until it stands, reads travel with the writes. */
  #laneFor(direction: Direction): Lane {
    const { read, write } = this.lanes;
    if (direction === 'write' || read.ready) return this.lanes[direction];
    read.open();
    return write.ready ? write : read;
  }

  #wired(args: readonly CommandArg[]): ScriptArg[] {
    return args.map((arg) => (arg instanceof Key ? this.#prefix + arg.name : arg));
  }
}
