import { show, toMs, type Duration, type Key } from '@roost/redis';
import { InvalidSessionCallError, SessionTooLargeError, UnstorableValueError } from '../session.errors.js';
import { flagKeyOf, VALUE_BYTES } from '../session.keys.js';
import { jsonOf } from '../sessions/session.fields.js';
import type { StoreChoice } from '../store-choice.js';
import type { ValueStore } from '../values/value.store.js';

const SHORTEST_MS = 5 * 60_000;
const LONGEST_MS = 30 * 60_000;

/**
 * What is true of a user for 5 to 30 minutes, such as `otp_valid`: JSON of at most 1 kB, in clear. While Redis is lost every
 * call rejects with `SessionUnavailableError`.
 */
export class Flags {
  /** @internal Made by `SessionModule`. */
  constructor(private readonly choice: StoreChoice<ValueStore>) {}

  /** @example await flags.set('789', 'otp_valid'); */
  async set(
    userId: string,
    flag: string,
    value: unknown = true,
    { ttl = SHORTEST_MS }: { /** 5 to 30 minutes. @default '5m' */ readonly ttl?: Duration } = {},
  ): Promise<void> {
    const ttlMs = toMs(ttl);
    if (ttlMs < SHORTEST_MS || ttlMs > LONGEST_MS) {
      throw new InvalidSessionCallError('Expected a `ttl` from 5 to 30 minutes', ttl);
    }
    const json = boundedJson(`Flag ${show(flag)}`, value);
    await this.#ask('set flags', 'write', flagKeyOf(userId, flag), (store, key) => store.set(key, json, ttlMs));
  }

  /** Its value; undefined when it was never set, has ended, or was consumed. */
  async get<Value = unknown>(userId: string, flag: string): Promise<Value | undefined> {
    const found = await this.#ask('read flags', 'read', flagKeyOf(userId, flag), (store, key) => store.get(key));
    return parsed<Value>(found?.value);
  }

  /** Its value, once: of many at once, one gets it. */
  async consume<Value = unknown>(userId: string, flag: string): Promise<Value | undefined> {
    return parsed<Value>(
      await this.#ask('consume flags', 'write', flagKeyOf(userId, flag), (store, key) => store.take(key)),
    );
  }

  /** Resolves to whether it was there. */
  clear(userId: string, flag: string): Promise<boolean> {
    return this.#ask('clear flags', 'write', flagKeyOf(userId, flag), (store, key) => store.delete(key));
  }

  #ask<T>(
    what: string,
    direction: 'read' | 'write',
    key: Key,
    ask: (store: ValueStore, key: Key) => Promise<T>,
  ): Promise<T> {
    return this.choice.ask(what, direction, key.name, (store) => ask(store, key));
  }
}

/** @throws UnstorableValueError, SessionTooLargeError */
export function boundedJson(what: string, value: unknown): string {
  const json = jsonOf(what, value);
  if (json === undefined) throw new UnstorableValueError(what);
  const bytes = Buffer.byteLength(json);
  if (bytes > VALUE_BYTES) throw new SessionTooLargeError(what, bytes, VALUE_BYTES);
  return json;
}

/** Undefined for what is no JSON: somebody else wrote there. */
export function parsed<Value>(json: string | undefined): Value | undefined {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json) as Value;
  } catch {
    return undefined; // as good as none, and never a reason to fail
  }
}
