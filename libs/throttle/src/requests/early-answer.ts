import type { Decision, PolicyDecision } from '../decision.js';
import type { ThrottleConfig } from '../throttle.config.js';
import { refusalOf } from '../throttle.errors.js';
import type { Header } from './header-dialects.js';
import { headersOf } from './rate-limit.headers.js';
import { setAll } from './response-headers.js';

const SECOND_MS = 1_000;

/** What a refused request is answered with until it is not refused any more: as the guard would at that moment. */
export class EarlyAnswer {
  readonly status = 429;
  readonly #refusal: Decision;
  readonly #refusedAt: number;
  readonly #config: Pick<ThrottleConfig, 'headers' | 'exposeHeaders'>;
  #decision: Decision;
  #headers: readonly Header[] = [];
  #body = '';
  #freshUntil = -Infinity;

  constructor(refusal: Decision, refusedAt: number, config: Pick<ThrottleConfig, 'headers' | 'exposeHeaders'>) {
    this.#refusal = this.#decision = refusal;
    this.#refusedAt = refusedAt;
    this.#config = config;
  }

  get decision(): Decision {
    return this.#decision;
  }

  putHeadersOn(response: object): void {
    setAll(response, this.#headers, this.#config, true);
  }

  get body(): string {
    return this.#body;
  }

  /** Brings the times up to date: answers tell whole seconds, so once a second is enough. */
  renew(now: number): void {
    if (now < this.#freshUntil) return;
    const decision = aged(this.#refusal, now - this.#refusedAt);
    this.#decision = decision;
    this.#headers = headersOf(decision, this.#config.headers);
    this.#body = JSON.stringify(refusalOf(decision).getResponse());
    this.#freshUntil = now + Math.min(...decision.policies.map(untilNextSecond));
  }
}

function aged(decision: Decision, ageMs: number): Decision {
  const older = (ms: number | null) => (ms === null ? null : Math.max(0, ms - ageMs));
  return {
    ...decision,
    retryAfterMs: older(decision.retryAfterMs),
    policies: decision.policies.map((policy) => ({
      ...policy,
      retryAfterMs: older(policy.retryAfterMs),
      resetAfterMs: Math.max(0, policy.resetAfterMs - ageMs),
    })),
  };
}

/** When the first of these times would be told as one second less. */
function untilNextSecond({ retryAfterMs, resetAfterMs }: PolicyDecision): number {
  return Math.min(sinceSecond(retryAfterMs ?? 0), sinceSecond(resetAfterMs));
}

function sinceSecond(ms: number): number {
  return ms <= 0 ? SECOND_MS : ms - SECOND_MS * (Math.ceil(ms / SECOND_MS) - 1);
}
