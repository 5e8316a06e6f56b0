import { RedisTimeoutError } from '@roost/redis';
import { eventually } from '@roost/testing';
import { MemoryPresenceStore } from '../stores/memory-presence.store.js';
import type { Change, StoredMember, Topic } from '../stores/presence.store.js';
import { roomTopic } from '../stores/topics.js';
import { PresenceNode } from './presence.node.js';

export const lobby = roomTopic('lobby');
export const onPurpose = { onPurpose: true } as const;
/** In ms; as long as a user is waited for. */
export const LEASE = 60;

/** A store that does not answer when it is told not to, and whose time is moved by the test. */
class Flaky extends MemoryPresenceStore {
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

/** Processes that share one store, to which all of them have a connection or none has one. */
export class NodeTestbed {
  readonly store = new Flaky();
  readonly logged: string[] = [];
  reachable = true;

  open(): PresenceNode {
    const say = (message: string) => void this.logged.push(message);
    return new PresenceNode({
      config: { leaseMs: LEASE, beatMs: 10, goneAfterMs: LEASE },
      store: this.store,
      reachable: () => this.reachable,
      metrics: { swept: () => undefined },
      logger: { log: say, warn: say, error: say },
    });
  }

  away(node: PresenceNode): void {
    this.reachable = false;
    node.reachabilityChanged();
  }

  back(node: PresenceNode): void {
    this.reachable = true;
    node.reachabilityChanged();
  }
}

/** Resolves a little after so many ms. */
export async function pass(ms: number): Promise<void> {
  const until = performance.now() + ms;
  await eventually(() => performance.now() > until, { within: ms + 500, every: 5 });
}
