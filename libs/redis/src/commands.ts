import type { Key } from './key.js';
import type { ByName, Script, ScriptArg } from './script.js';

/** An argument of a command; keys are recognised by their type and get the product's prefix. */
export type CommandArg = Key | ScriptArg;

/**
 * What a feature may ask of Redis: the narrow port behind which a single server, and later Sentinel, Cluster or an HTTP
 * provider, stand. Each call has its own deadline, never waits in an offline queue and is never sent twice.
 *
 * Every method rejects with `RedisTimeoutError` or `RedisUnavailableError` when Redis is not there, with
 * `RedisReplyError` when it calls the command wrong.
 */
export abstract class Commands {
  /** Runs a command that changes nothing. */
  abstract read<T = unknown>(command: string, ...args: CommandArg[]): Promise<T>;
  /** Runs a command that changes nothing; what it replies comes as bytes. */
  abstract readBytes<T = unknown>(command: string, ...args: CommandArg[]): Promise<T>;
  /** Runs a command that changes something. */
  abstract write<T = unknown>(command: string, ...args: CommandArg[]): Promise<T>;
  /** Runs commands in order in one write; not atomic. Resolves to replies, with an error in the place of a failed one. */
  abstract pipeline(
    direction: 'read' | 'write',
    commands: readonly (readonly [string, ...CommandArg[]])[],
  ): Promise<unknown[]>;
  /** Runs a script. */
  abstract run<Keys extends readonly string[], Args extends readonly string[], Reply>(
    script: Script<Keys, Args, Reply>,
    keys: ByName<Keys, Key>,
    args: ByName<Args, ScriptArg>,
  ): Promise<Reply>;
}
