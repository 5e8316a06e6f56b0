import { RedisTimeoutError } from '@roost/redis';
import { MemoryPresenceStore } from '../stores/memory-presence.store.js';
import type { Change, StoredMember, Topic } from '../stores/presence.store.js';
import { roomTopic } from '../stores/topics.js';

export const lobby = roomTopic('lobby');

/** A store that does not answer when it is told not to, and whose time is moved by the test. */
export class Flaky extends MemoryPresenceStore {
  silent = false;
  slow: Promise<void> | undefined;
  readonly told: string[];
  readonly clock: { ms: number };

  constructor() {
    const clock = { ms: 1_800_000_000_000 };
    const told: string[] = [];
    super({ replay: 100, lastSeenForMs: 1e9, publish: (_, text) => void told.push(text), now: () => clock.ms });
    [this.clock, this.told] = [clock, told];
  }

  override async own(node: string, topics: readonly Topic[]): Promise<void> {
    await this.slow;
    return super.own(node, topics);
  }

  override async join(topic: Topic, member: StoredMember): Promise<Change> {
    this.#answer();
    return super.join(topic, member);
  }

  override async leave(...asked: Parameters<MemoryPresenceStore['leave']>): Promise<Change> {
    this.#answer();
    return super.leave(...asked);
  }

  get users(): Promise<readonly string[]> {
    return this.state(lobby).then(({ users }) => users);
  }

  #answer(): void {
    if (this.silent) throw new RedisTimeoutError('presence', 250);
  }
}
