import { classifyError, safeMessage } from './error-class.js';
import type { TrackingLink } from './tracking-modes.js';

const ECHO_WITHIN_MS = 1_000;
const TRIES = 2;
const SILENT = 'nothing was heard of a change';

/** Sees whether a link tells of changes, by a change of its own: some servers accept to tell and do not. */
export class TrackingSelfTest {
  readonly #waiting = new Set<() => void>();

  /** A message about the probe has come, by whomever it was caused. */
  heard(): void {
    for (const hear of this.#waiting) hear();
  }

  /**
   * Makes the link tell. Resolves to why it does not, when the server refuses; rejects when nobody can say.
   * @param isCurrent whether the answer is still of interest
   * @param worked whether the link told before: then its silence is a fault of the moment, as when a failover has led
   * commands to another server than the link
   */
  async refusalOf(link: TrackingLink, isCurrent: () => boolean, worked: boolean): Promise<string | undefined> {
    try {
      await link.arm();
      for (let tries = 0; tries < TRIES && isCurrent(); tries++) {
        if (await this.#hasEcho(link)) return undefined;
        await link.confirm(); // a server that is gone has refused nothing
      }
      if (worked) throw new Error(SILENT);
      return SILENT;
    } catch (error) {
      if (refuses(error as Error)) return safeMessage(error as Error);
      throw error;
    }
  }

  async #hasEcho(link: TrackingLink): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    let answer!: (heard: boolean) => void;
    const echo = new Promise<boolean>((resolve) => (answer = resolve));
    const hear = () => answer(true);
    this.#waiting.add(hear); // before the change: its message may come before the reply
    try {
      await link.provoke();
      timer = setTimeout(answer, ECHO_WITHIN_MS, false).unref();
      return await echo;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(hear);
    }
  }
}

/** Whether the server forbids it or does not know it, as opposed to being away, full or busy. */
export function refuses({ message }: Error): boolean {
  const reply = message.replace(/^Redis cannot serve \S+: /, '');
  return /^NOPERM\b/.test(reply) || (/^(ERR|NOPROTO)\b/.test(reply) && classifyError(new Error(reply)) === 'bug');
}
