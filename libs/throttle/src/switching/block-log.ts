import { Logger } from '@nestjs/common';
import { repeatedly } from './repeatedly.js';
import type { Ruling } from './rate-limit.switch.js';

const PAUSE_MS = 1_000;

/** Logs who begins to be blocked after too many refusals, by digest: at most once a second for each policy. */
export class BlockLog {
  readonly #logger = new Logger('RateLimiter');
  readonly #byPolicy = new Map<string, (ruling: Ruling) => void>();

  /** Told of every refusal. */
  refused(rulings: readonly Ruling[]): void {
    for (const ruling of rulings) if (beginsBlock(ruling)) this.#logOf(ruling.charge.limit.name)(ruling);
  }

  #logOf(policy: string): (ruling: Ruling) => void {
    let log = this.#byPolicy.get(policy);
    if (!log) this.#byPolicy.set(policy, (log = repeatedly(PAUSE_MS, (ruling, more) => this.#log(ruling, more))));
    return log;
  }

  #log({ charge, verdict }: Ruling, suppressed: number): void {
    this.#logger.warn('A subject was refused too often and is blocked.', {
      event: 'throttle.blocked',
      rate_limit_state: 'block',
      policy: charge.limit.name,
      subject: charge.subject,
      forMs: verdict.retryAfterMs,
      suppressed,
    });
  }
}

/** The refusal that begins a block is told to wait for all of it; later ones for what is left. */
function beginsBlock({ charge: { limit }, verdict }: Ruling): boolean {
  return verdict.blocked && limit.block !== undefined && verdict.retryAfterMs === limit.block.forMs;
}
