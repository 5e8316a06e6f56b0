import { RedisReplyError, type Commands } from '@roost/redis';
import { readBacklog } from './lua/backlog.lua.js';
import { buryMessage } from './lua/bury.lua.js';
import { finishMessages } from './lua/finish.lua.js';
import { holdMessages } from './lua/hold.lua.js';
import { leaveGroup } from './lua/leave.lua.js';
import type { PendingPage } from './lua/pending.fragment.js';
import { reclaimMessages } from './lua/reclaim.lua.js';
import { runOnStreams } from './lua/stream-script.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';

/** A message that is held, with how often it was handed to a handler. */
export interface Holding {
  readonly id: string;
  readonly deliveries: number;
}

/** A message to be given up. */
export interface Letter extends Holding {
  readonly reason: string;
  /** Its fields in turn, when Redis has lost the message and they are known here alone. */
  readonly lostFields?: readonly string[];
}

/** How a group is, as Redis sees it. */
export interface GroupState {
  /** Messages that were never delivered; undefined where Redis does not know. */
  readonly lag: number | undefined;
  /** Delivered to whatever consumer and not acknowledged. */
  readonly pending: number;
  readonly deadLetters: number;
  /** How many groups read the stream. */
  readonly groups: number;
}

/** What one consumer asks Redis about its group, except for what blocks. */
export class StreamGroup {
  constructor(
    private readonly commands: Commands,
    private readonly options: ResolvedStreamConsumer,
    readonly consumer: string,
  ) {}

  /** Makes the group, and the stream, unless they are there. */
  async create(from: '0' | '$'): Promise<void> {
    try {
      await this.commands.write('XGROUP', 'CREATE', this.options.stream, this.options.group, from, 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof RedisReplyError && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }

  /** A page of what this consumer has not acknowledged; the cursor is '' when it is empty. */
  backlog(after: string, count: number): Promise<PendingPage> {
    const { group } = this.options;
    return runOnStreams(this.commands, readBacklog, this.#stream, { group, consumer: this.consumer, after, count });
  }

  /** Takes over what was left lying; the cursor is '0-0' when all has been looked at. */
  reclaim(cursor: string, count: number): Promise<PendingPage> {
    const { group, minIdleMs } = this.options;
    const args = { group, consumer: this.consumer, minIdleMs, cursor, count };
    return runOnStreams(this.commands, reclaimMessages, this.#stream, args);
  }

  async finish(ids: readonly string[]): Promise<void> {
    const { group, remove } = this.options;
    await runOnStreams(this.commands, finishMessages, this.#stream, { group, remove: remove ? '1' : '0', ids });
  }

  /** Gives a sign of life for messages. Resolves to the ids of those that another consumer has taken over. */
  hold(messages: readonly Holding[]): Promise<string[]> {
    return this.#mark(messages, 0);
  }

  /** Lets others have messages as soon as they look for some. */
  async release(messages: readonly Holding[]): Promise<void> {
    await this.#mark(messages, this.options.minIdleMs);
  }

  /** Moves it to the dead letters. Resolves to false when another consumer has taken it over. */
  async bury({ id, deliveries, reason, lostFields }: Letter): Promise<boolean> {
    const { stream, deadLetter, deadLetterMaxLen: maxLen, group, remove } = this.options;
    const moved = await runOnStreams(this.commands, buryMessage, [stream, deadLetter], {
      group,
      consumer: this.consumer,
      id,
      maxLen,
      remove: remove ? '1' : '0',
      reason,
      deliveries,
      lost: lostFields ? '1' : '0',
      fields: lostFields ?? [],
    });
    return moved === 1;
  }

  /** Removes this consumer, unless something is pending for it; consumers that are long gone are removed with it. */
  async leave(consumer: string, goneMs: number): Promise<void> {
    const { group } = this.options;
    await runOnStreams(this.commands, leaveGroup, this.#stream, { group, consumer, idleMs: goneMs });
  }

  /** Undefined while there is no such group. */
  async look(): Promise<GroupState | undefined> {
    const { stream, group, deadLetter, remove } = this.options;
    const [groups, left, dead] = await this.commands.pipeline('read', [
      ['XINFO', 'GROUPS', stream],
      ['XLEN', stream],
      ['XLEN', deadLetter],
    ]);
    if (!Array.isArray(groups)) return undefined;
    const known = groups.map((each) => recordOf(each as unknown[]));
    const own = known.find(({ name }) => name === group);
    if (own === undefined) return undefined;
    const pending = Number(own.pending);
    // Redis before 7 has no lag, and after deletions it may not know: what is deleted when handled is counted by what is left.
    const guess = remove && typeof left === 'number' && known.length === 1 ? Math.max(left - pending, 0) : undefined;
    const lag = typeof own.lag === 'number' ? own.lag : guess;
    return { lag, pending, deadLetters: typeof dead === 'number' ? dead : 0, groups: known.length };
  }

  get #stream(): readonly [string] {
    return [this.options.stream];
  }

  #mark(messages: readonly Holding[], idleMs: number): Promise<string[]> {
    const { group } = this.options;
    const flat = messages.flatMap(({ id, deliveries }) => [id, deliveries]);
    const args = { group, consumer: this.consumer, idleMs, messages: flat };
    return runOnStreams(this.commands, holdMessages, this.#stream, args);
  }
}

/** Whether an error says that the stream or the group is not there any more: Redis came back empty, or was flushed. */
export function isGroupGone(error: unknown): boolean {
  return /^(NOGROUP|UNBLOCKED)|no such key/.test((error as Error).message);
}

function recordOf(pairs: readonly unknown[]): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) record[String(pairs[i])] = pairs[i + 1];
  return record;
}
