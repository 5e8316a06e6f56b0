import { Injectable, type HttpServer } from '@nestjs/common';
import { channel } from 'node:diagnostics_channel';
import { isUnavailable, type Decision } from '../decision.js';
import { RateLimitControls } from '../rollout/rate-limit.controls.js';
import { RateLimitShortcuts } from '../shortcuts/rate-limit.shortcuts.js';
import { Recency, type Entry } from '../stores/recency.js';
import { keyOf, type Charge } from '../switching/charge.js';
import { RateLimitSwitch } from '../switching/rate-limit.switch.js';
import { ThrottleConfig } from '../throttle.config.js';
import { ThrottleMetrics } from '../throttle.metrics.js';
import type { RequestLike } from './caller.js';
import { EarlyAnswer } from './early-answer.js';
import { steadyObjections, subjectOf } from './early-lesson.js';
import { refuseEarly, type Locate, type Place } from './early-refusal.hooks.js';
import { RateLimitSubjects, apiKeyIn } from './rate-limit.subjects.js';

const MAX_ENTRIES = 10_000;
/** Names come from callers: of the route's path, and of API keys. */
const MAX_NAME_LENGTH = 512;
/** While Redis does not decide as it should, what this process decided is soon out of date. */
const MAX_MS_WHEN_DEGRADED = 1_000;
/** News of what was given back may get lost, or never come, as of a reservation that ends: it heals in that time. */
const MAX_MS = 60_000;

/** A refusal by the guard, and what it was about. */
export interface Refusal {
  readonly decision: Decision;
  readonly charges: readonly Charge[];
  readonly arrivedAt: number;
  /** {@link EarlyRefusals.epoch} when it arrived. */
  readonly epoch: number;
}

interface Remembered {
  readonly place: Place;
  readonly answer: EarlyAnswer;
  readonly expiresAt: number;
  readonly keys: readonly string[];
}

// With what `RateLimiter` publishes there: a `DecisionMessage`.
const decisions = channel('roost:throttle:decision');

/**
 * Remembers whom the guard refused, on which route and until when, so that the server can answer before Nest sees the
 * request. Only what depends on nothing but the address or the API key of the request: the answer would be the same.
 */
@Injectable()
export class EarlyRefusals {
  readonly #entries = new Recency<Remembered>();
  /** The entries that a key of the store keeps alive. */
  readonly #byKey = new Map<string, Set<Entry<Remembered>>>();
  #locate: Locate | undefined;
  #epoch = 0;
  #withApiKey = 0;

  constructor(
    private readonly config: ThrottleConfig,
    private readonly subjects: RateLimitSubjects,
    private readonly switched: RateLimitSwitch,
    private readonly controls: RateLimitControls,
    private readonly shortcuts: RateLimitShortcuts,
    private readonly metrics: ThrottleMetrics,
  ) {
    shortcuts.refusals.follow((keys) => (keys === undefined ? this.forgetAll() : this.forget(keys)));
  }

  /** Changes whenever something is forgotten: what was decided before must not be learned after. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Lets the HTTP server answer what is remembered, unless the options say no. */
  serve(adapter: HttpServer | undefined): void {
    if (adapter !== undefined && this.config.refuseEarly) this.#locate = refuseEarly(adapter, this);
  }

  /** Remembers a refusal that the guard has just made. */
  learn(request: RequestLike, { decision, charges, arrivedAt, epoch }: Refusal): void {
    // While limits are turned from what the options say, only the guard knows what is in force.
    if (epoch !== this.#epoch || isUnavailable(decision) || this.controls.turned) return;
    const found = this.#locate?.(request);
    if (found === undefined) return;
    const objecting = steadyObjections(decision, charges);
    const defaultKey = this.config.options.apiKeyOf === undefined ? apiKeyIn(request) : undefined;
    const kind = subjectOf(objecting, defaultKey);
    const waitMs = shortestWait(decision);
    if (kind === undefined || waitMs === undefined) return;
    const subject = kind === 'ip' ? this.subjects.addressOf(request) : defaultKey!;
    const entry = nameOf(found.name, kind, subject);
    if (entry.length > MAX_NAME_LENGTH) return;
    const trustMs = this.#trustMs(decision);
    if (trustMs === 0) return;
    this.#remember(entry, {
      place: found.place,
      answer: new EarlyAnswer(decision, arrivedAt, this.config),
      // Waits are rounded up: the last millisecond may be free already.
      expiresAt: arrivedAt + Math.min(waitMs - 1, trustMs),
      keys: objecting.map((charge) => keyOf(charge).name),
    });
  }

  /** The answer to a request that is known to be refused; it is counted like any other refusal. */
  answerTo(name: string, request: RequestLike): EarlyAnswer | undefined {
    if (this.controls.turned) return undefined;
    const now = performance.now();
    const answer =
      this.#find(nameOf(name, 'ip', this.subjects.addressOf(request)), now) ??
      (this.#withApiKey > 0 ? this.#findByApiKey(name, request, now) : undefined);
    if (answer === undefined) return undefined;
    answer.renew(now);
    const { decision } = answer;
    for (const policy of decision.violated) this.metrics.decided(policy, decision.state, decision.backend);
    if (decisions.hasSubscribers) decisions.publish({ decision, durationMs: 0 });
    return answer;
  }

  /** Forgets what keys of the store had to do with: what they count has changed. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#epoch++;
      for (const entry of this.#byKey.get(key) ?? []) this.#delete(entry);
    }
  }

  /** Forgets everything: limits have changed, or who decides. */
  forgetAll(): void {
    this.#epoch++;
    for (const entry of this.#entries) this.#delete(entry);
  }

  /** How long what was decided is believed without asking again. */
  #trustMs({ backend }: Decision): number {
    if (this.switched.degraded || backend !== this.switched.current) return MAX_MS_WHEN_DEGRADED;
    if (backend === 'memory') return MAX_MS;
    return this.shortcuts.listening ? MAX_MS : 0;
  }

  #findByApiKey(name: string, request: RequestLike, now: number): EarlyAnswer | undefined {
    const apiKey = apiKeyIn(request);
    return apiKey === undefined ? undefined : this.#find(nameOf(name, 'apiKey', apiKey), now);
  }

  #find(name: string, now: number): EarlyAnswer | undefined {
    const entry = this.#entries.find(name);
    if (entry === undefined) return undefined;
    if (entry.value.expiresAt > now) {
      this.#entries.use(entry);
      return entry.value.answer;
    }
    this.#delete(entry);
    return undefined;
  }

  #remember(name: string, value: Remembered): void {
    const known = this.#entries.find(name);
    if (known) this.#delete(known);
    else if (this.#entries.size >= MAX_ENTRIES) this.#delete(this.#entries.oldest!);
    const entry = this.#entries.add(name, value);
    for (const key of value.keys) {
      const sharing = this.#byKey.get(key);
      if (sharing) sharing.add(entry);
      else this.#byKey.set(key, new Set([entry]));
    }
    value.place.refused++;
    if (isApiKey(name)) this.#withApiKey++;
  }

  #delete(entry: Entry<Remembered>): void {
    const { place, keys } = entry.value;
    this.#entries.delete(entry);
    for (const key of keys) {
      const sharing = this.#byKey.get(key);
      sharing?.delete(entry);
      if (sharing?.size === 0) this.#byKey.delete(key);
    }
    place.refused--;
    if (isApiKey(entry.name)) this.#withApiKey--;
  }
}

const IP = 'a';
const API_KEY = 'k';

function nameOf(place: string, kind: 'ip' | 'apiKey', subject: string): string {
  return `${kind === 'ip' ? IP : API_KEY}${subject}\n${place}`;
}

function isApiKey(name: string): boolean {
  return name.startsWith(API_KEY);
}

/** Until the first of the limits that object does not: then the answer would be another. */
function shortestWait({ policies, violated }: Decision): number | undefined {
  let shortest = Infinity;
  for (const { policy, retryAfterMs } of policies) {
    if (!violated.includes(policy)) continue;
    if (retryAfterMs === null) return undefined;
    shortest = Math.min(shortest, retryAfterMs);
  }
  return Number.isFinite(shortest) ? shortest : undefined;
}
