import { createHash } from 'node:crypto';
import { InvalidOptionsError } from './redis.errors.js';
import type { Key } from './key.js';

export type ScriptArg = string | number | Buffer;

/** What a script's keys or arguments are passed as: by name; a name that ends in `...` takes a list. */
export type ByName<Names extends readonly string[], Value> = {
  readonly [Name in Names[number] as Name extends `${infer Base}...` ? Base : Name]: Name extends `${string}...`
    ? readonly Value[]
    : Value;
};

/** A Lua script with named keys and arguments and a typed reply. */
export interface Script<Keys extends readonly string[], Args extends readonly string[], Reply> {
  readonly name: string;
  readonly lua: string;
  readonly sha1: string;
  readonly readOnly: boolean;
  readonly gathered: boolean;
  readonly bytes: boolean;
  readonly reply: (raw: unknown) => Reply;
  keysOf(keys: ByName<Keys, Key>): readonly Key[];
  argsOf(args: ByName<Args, ScriptArg>): readonly ScriptArg[];
}

/**
 * Declares a script. It is sent by EVALSHA, and once by EVAL when the server does not know it. Every key it touches is
 * declared, and all of them share one hash slot. Arguments show up in traces: digest what is secret.
 * @example
 * const start = defineScript('cooldown.start', { keys: ['cooldown'], args: ['pauseMs'], reply: Number, lua: `…` });
 * await commands.run(start, { cooldown: key }, { pauseMs: 5_000 });
 */
export function defineScript<const Keys extends readonly string[], const Args extends readonly string[], Reply>(
  name: string,
  definition: {
    keys: Keys;
    args: Args;
    /** Turns Redis' reply into the caller's type. */
    reply: (raw: never) => Reply;
    lua: string;
    /** Set when it never writes: it may then run while writes are refused. @default false */
    readOnly?: boolean;
    /**
     * Set when its caller has gathered in it what a turn of the event loop had to ask: it then leaves at once, and not with
     * the other commands of the turn. @default false
     */
    gathered?: boolean;
    /** Set when what it replies is no text: `reply` is given Buffers. @default false */
    bytes?: boolean;
  },
): Script<Keys, Args, Reply> {
  const misplaced = [definition.keys, definition.args].some((names) =>
    names.slice(0, -1).some((each) => each.endsWith('...')),
  );
  if (misplaced)
    throw new InvalidOptionsError(`defineScript("${name}")`, ['Expected only the last name to end in `...`']);
  const lua = definition.lua.trim();
  return {
    name,
    lua,
    sha1: createHash('sha1').update(lua).digest('hex'),
    readOnly: definition.readOnly ?? false,
    gathered: definition.gathered ?? false,
    bytes: definition.bytes ?? false,
    reply: definition.reply as (raw: unknown) => Reply,
    keysOf: inOrder<Key>(definition.keys),
    argsOf: inOrder<ScriptArg>(definition.args),
  };
}

/** Which of the names take a list is found out once: this runs for every script that is sent. */
function inOrder<Value>(names: readonly string[]): (values: object) => readonly Value[] {
  const parts = names.map((name) => {
    const isList = name.endsWith('...');
    return { isList, of: isList ? name.slice(0, -3) : name };
  });
  const [only] = parts;
  if (parts.length === 1 && only!.isList) return (values) => (values as Record<string, readonly Value[]>)[only!.of]!;
  return (values) => {
    const record = values as Record<string, Value | readonly Value[]>;
    const ordered: Value[] = [];
    for (const { isList, of } of parts) {
      if (isList) for (const each of record[of] as readonly Value[]) ordered.push(each);
      else ordered.push(record[of] as Value);
    }
    return ordered;
  };
}
