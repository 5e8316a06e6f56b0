import { outsideRequests } from '@roost/redis';
import { isLost, outageOf } from './outage.js';

const PROBE_EVERY_MS = 250;

/** Whether a server can be reached, as far as is known. While it is lost, nobody waits for it, and probes find out when it is back. */
export class ServerHealth {
  #trouble: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #listeners = new Set<(trouble: string | undefined) => void>();

  /** @param probe asks the server, and settles within a second or so. */
  constructor(private readonly probe: () => Promise<void>) {}

  get trouble(): string | undefined {
    return this.#trouble;
  }

  onChange(listener: (trouble: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Judges an error: after one that concerns everybody the server is lost until a probe succeeds. */
  learn(error: unknown): void {
    const trouble = outageOf(error);
    if (trouble === undefined || !isLost(trouble) || this.#trouble !== undefined || this.#stopped) return;
    this.#become(trouble);
    this.#probeIn(0); // one broken connection is soon known to be no outage
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #become(trouble: string | undefined): void {
    this.#trouble = trouble;
    for (const listener of this.#listeners) listener(trouble);
  }

  #probeIn(ms: number): void {
    const found = () => this.#stopped || this.#become(undefined);
    const lost = () => this.#stopped || this.#probeIn(PROBE_EVERY_MS);
    this.#timer = outsideRequests(() => setTimeout(() => void this.probe().then(found, lost), ms));
    this.#timer.unref();
  }
}
