import { outsideRequests } from '@roost/redis';

/** How often Redis is told again, in ms: it may refuse writes while it seems to be well. */
const AGAIN_MS = 1_000;
/** How many are told at once. */
const AT_ONCE = 100;

/** Sessions that were ended here while Redis did not hear of it. It is told until it hears, as long as this process lives. */
export class UnheardEnds {
  readonly #ids = new Set<string>();
  #end: ((id: string) => Promise<unknown>) | undefined;
  #telling = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    if (this.#ids.size >= this.limit) return;
    this.#ids.add(id);
    if (this.#closed) return;
    this.#timer ??= outsideRequests(() => setInterval(() => void this.tell(), AGAIN_MS).unref());
  }

  /** Begins to tell. @param end Rejects when it is not heard. */
  open(end: (id: string) => Promise<unknown>): void {
    this.#end = end;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#end = undefined;
  }

  /** Tells until one is not heard. Never rejects. */
  async tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    const ids = [...this.#ids];
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const heard = await Promise.allSettled(ids.slice(from, from + AT_ONCE).map((id) => this.#tellOne(id)));
      if (heard.some(({ status }) => status === 'rejected')) break;
    }
    this.#telling = false;
    if (this.#ids.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tellOne(id: string): Promise<void> {
    if (this.#end === undefined) return;
    await this.#end(id);
    this.#ids.delete(id);
  }
}
