import { toMs, type Duration } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import { boundedJson, parsed } from '../flags/flags.service.js';
import { InvalidSessionCallError, SessionUnavailableError } from '../session.errors.js';
import { tokenKeyOf } from '../session.keys.js';
import type { SessionMetrics, TokenOutcome } from '../session.metrics.js';
import type { StoreChoice } from '../store-choice.js';
import type { ValueStore } from '../values/value.store.js';
import { checkPurpose } from './purpose.js';

/** What a token stands for. */
export interface TokenGrant<Data = unknown> {
  readonly userId: string;
  readonly data?: Data;
}

export interface TokenOptions<Data = unknown> {
  /** What the token is for: it is good for nothing else. @default 'login' */
  readonly purpose?: string;
  /** Up to a day. @default '10m' */
  readonly ttl?: Duration;
  /** JSON of up to 1 kB, kept in clear. */
  readonly data?: Data;
}

const TTL_MS = 10 * 60_000;
const LONGEST_MS = 86_400_000;
const LENGTH = 43;

/**
 * Tokens for links, good once, for ten minutes. Without Redis they live in this process; while it is lost every call rejects
 * with `SessionUnavailableError`.
 */
export class OneTimeTokens {
  /** @internal Made by `SessionModule`. */
  constructor(
    private readonly choice: StoreChoice<ValueStore>,
    private readonly metrics: SessionMetrics,
  ) {}

  /** Makes a token of 256 random bits. A secret: it is nowhere else in clear. */
  async issue<Data = unknown>(userId: string, options: TokenOptions<Data> = {}): Promise<string> {
    const { purpose = 'login', ttl = TTL_MS, data } = options;
    if (typeof userId !== 'string' || userId === '') throw new InvalidSessionCallError('Expected a user', userId);
    const ttlMs = toMs(ttl);
    if (ttlMs > LONGEST_MS) throw new InvalidSessionCallError('Expected a `ttl` of at most a day', ttl);
    const json = boundedJson('What a token stands for', { userId, data });
    const token = randomBytes(32).toString('base64url');
    await this.#ask('issue tokens', 'write', token, purpose, (store, key) => store.set(key, json, ttlMs));
    this.metrics.token('issued');
    return token;
  }

  /** What it stands for, without using it up: for pages that a link leads to, which mail scanners open as well. */
  async peek<Data = unknown>(
    token: string,
    { purpose = 'login' }: { readonly purpose?: string } = {},
  ): Promise<TokenGrant<Data> | undefined> {
    if (!isToken(token)) return undefined;
    const found = await this.#ask('read tokens', 'read', token, purpose, (store, key) => store.get(key));
    return parsed<TokenGrant<Data>>(found?.value);
  }

  /** What it stands for, once: of many at once, one gets it. When Redis' answer is lost, the token may be used up. */
  async redeem<Data = unknown>(
    token: string,
    { purpose = 'login' }: { readonly purpose?: string } = {},
  ): Promise<TokenGrant<Data> | undefined> {
    const json = isToken(token)
      ? await this.#ask('redeem tokens', 'write', token, purpose, (store, key) => store.take(key))
      : undefined;
    const grant = parsed<TokenGrant<Data>>(json);
    this.metrics.token((grant ? 'redeemed' : 'refused') satisfies TokenOutcome);
    return grant;
  }

  async #ask<T>(
    what: string,
    direction: 'read' | 'write',
    token: string,
    purpose: string,
    ask: (store: ValueStore, key: ReturnType<typeof tokenKeyOf>) => Promise<T>,
  ): Promise<T> {
    const key = tokenKeyOf(token, checkPurpose(purpose));
    try {
      return await this.choice.ask(what, direction, key.name, (store) => ask(store, key));
    } catch (error) {
      if (error instanceof SessionUnavailableError) this.metrics.token('failed');
      throw error;
    }
  }
}

function isToken(token: unknown): token is string {
  return typeof token === 'string' && token.length === LENGTH;
}
