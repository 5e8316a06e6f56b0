import type { ProbeResult } from './probe.js';

export interface ProberOptions {
  /** The first pause; it doubles up to `longestPauseMs`. @default 1000 */
  readonly firstPauseMs: number;
  /** ROOST_RECHECK_MS. */
  readonly longestPauseMs: number;
  /** The pause between probes once one was good. @default 100 */
  readonly confirmPauseMs: number;
}

/** What is to come after a probe: nothing, another look soon, or one after a longer pause than the last. */
export type ProbeNext = 'stop' | 'confirm' | 'back off';

/** Probes in the background for as long as somebody wants to know, with pauses that back off and are jittered. */
export class Prober {
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #active = false;
  #again = false;
  #stopped = false;
  #failures = 0;

  constructor(
    private readonly options: ProberOptions,
    private readonly look: () => Promise<ProbeResult>,
    private readonly found: (result: ProbeResult) => ProbeNext,
  ) {}

  /** Begins, unless it runs already. */
  start(): void {
    if (this.#active || this.#stopped) return;
    this.#active = true;
    this.#failures = 0;
    this.#schedule(this.options.firstPauseMs * Math.random());
  }

  /** Something suggests that Redis is back: looks now instead of after the pause. */
  hurry(): void {
    if (!this.#active) return;
    this.#again = this.#running;
    this.#schedule(0);
  }

  /** Ends for good. */
  stop(): void {
    this.#stopped = true;
    this.#active = false;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#running) this.#timer = setTimeout(() => void this.#probe(), delayMs).unref();
  }

  async #probe(): Promise<void> {
    this.#running = true;
    const result = await this.look();
    this.#running = false;
    if (!this.#active) return;
    const next = this.found(result);
    this.#active = next !== 'stop';
    if (!this.#active) return;
    this.#failures = next === 'confirm' ? 0 : this.#failures + 1;
    this.#schedule(next === 'confirm' || this.#again ? this.options.confirmPauseMs : this.#backOff());
    this.#again = false;
  }

  #backOff(): number {
    const { firstPauseMs, longestPauseMs } = this.options;
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures - 1, 20));
    return pause / 2 + (Math.random() * pause) / 2;
  }
}
