import type { Commands } from '@roost/redis';
import { HitLog, type HitLimit, type HitVerdict } from './hit-log.js';
import { hitsScript, REPLY_WIDTH, type HitsScript } from './hits.lua.js';

/** Counts in Redis, by Redis' clock: one script call for all throttlers of a request. */
export class RedisHitLog extends HitLog {
  readonly #commands: Commands;
  readonly #script: HitsScript;

  constructor(commands: Commands, script: HitsScript = hitsScript()) {
    super();
    this.#commands = commands;
    this.#script = script;
  }

  async decide(limits: readonly HitLimit[]): Promise<readonly HitVerdict[]> {
    const hits = limits.map(({ key }) => key);
    const numbers = limits.flatMap(({ ttlMs, limit, blockMs }) => [ttlMs, limit, blockMs]);
    const reply = await this.#commands.run(this.#script, { hits }, { limits: numbers });
    return limits.map((_, i) => verdictOf(reply, i * REPLY_WIDTH));
  }
}

function verdictOf(reply: readonly number[], at: number): HitVerdict {
  return {
    refused: reply[at] === 1,
    hits: reply[at + 1]!,
    expiresMs: orNull(reply[at + 2]!),
    retryMs: reply[at + 3]!,
    nextMs: orNull(reply[at + 4]!),
  };
}

function orNull(ms: number): number | null {
  return ms < 0 ? null : ms;
}
