import { TOPIC_TTL_MS, type PresenceStore, type Topic } from '../stores/presence.store.js';
import { topicOf } from '../stores/topics.js';

/** So many names go in one command. */
const BATCH = 500;

/** Where this process has members or looks after graces: noted in the store before anything else, for those who clean up. */
export class OwnedTopics {
  readonly #noted = new Map<string, Promise<void>>();
  readonly #unused = new Set<string>();
  #keptAt = performance.now();

  constructor(private readonly store: PresenceStore) {}

  get topics(): readonly Topic[] {
    return [...this.#noted.keys()].map(topicOf);
  }

  own(node: string, topic: Topic): Promise<void> {
    this.#unused.delete(topic.name);
    let noted = this.#noted.get(topic.name);
    if (noted === undefined) {
      noted = this.store.own(node, [topic]);
      this.#noted.set(topic.name, noted);
      noted.catch(() => this.#noted.get(topic.name) === noted && this.#noted.delete(topic.name));
    }
    return noted;
  }

  /** Nothing of this process is there any more. */
  unused(topic: Topic): void {
    this.#unused.add(topic.name);
  }

  /** Notes all topics anew, under the next incarnation. */
  async moveTo(node: string, members: readonly { readonly topic: Topic }[]): Promise<void> {
    for (const { topic } of members) this.#noted.set(topic.name, Promise.resolve());
    for (const topics of batches(this.topics)) await this.store.own(node, topics);
  }

  /** Gives up what is not used any more, and from time to time keeps the rest from being forgotten. */
  async tidy(node: string, isUnused: (topic: Topic) => boolean): Promise<void> {
    const unused = [...this.#unused].map(topicOf).filter(isUnused);
    this.#unused.clear();
    for (const { name } of unused) this.#noted.delete(name);
    for (const topics of batches(unused)) await this.store.disown(node, topics);
    if (performance.now() - this.#keptAt < TOPIC_TTL_MS / 3) return;
    this.#keptAt = performance.now();
    for (const topics of batches(this.topics)) await this.store.keep(node, topics);
  }
}

function batches<T>(items: readonly T[]): readonly T[][] {
  const count = Math.ceil(items.length / BATCH);
  return Array.from({ length: count }, (_, i) => items.slice(i * BATCH, (i + 1) * BATCH));
}
