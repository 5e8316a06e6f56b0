import { defined, InvalidOptionsError, show, toMs, type BackendMode, type Duration } from '@roost/redis';
import { MOST_BYTES } from './session.keys.js';
import type { CodeOptions, SessionLifetime, SessionOptions, SessionOutage } from './session.options.js';

/** The lifetimes that have a name. */
export const SESSION_LIFETIMES = {
  web: { idle: '24h', absolute: '7d' },
  short: { idle: '1h', absolute: '12h' },
} as const satisfies Record<string, SessionLifetime>;

const DEFAULTS = {
  connection: 'default',
  lifetime: 'web',
  rotationGrace: '10s',
  maxBytes: 16_384,
  maxPerUser: 50,
  outage: 'local',
  copies: 10_000,
  copyFor: '5m',
  codes: {},
  features: {},
  production: false,
} as const satisfies SessionOptions;
const CODE_DEFAULTS = {
  digits: 6,
  ttl: '5m',
  attempts: 5,
  cooldown: '60s',
  sends: 10,
  guesses: 20,
  window: '1h',
} as const satisfies Required<CodeOptions>;

const KNOWN = new Set([...Object.keys(DEFAULTS), 'backend', 'touchEvery', 'pepper']);
const DAY_MS = 86_400_000;

/** A lifetime in ms. */
export interface Life {
  readonly idleMs: number;
  readonly absoluteMs: number;
}

/** The limits of codes with nothing left open, in ms. */
export type CodeLimits = Readonly<
  Record<'digits' | 'ttlMs' | 'attempts' | 'cooldownMs' | 'sends' | 'guesses' | 'windowMs', number>
>;

/** The module's options with nothing left open; also the DI token for them. */
export class SessionConfig {
  readonly backend: BackendMode | undefined;
  readonly connection: string;
  readonly life: Life;
  readonly touchEveryMs: number;
  readonly rotationGraceMs: number;
  readonly maxBytes: number;
  readonly maxPerUser: number;
  readonly outage: SessionOutage;
  readonly copies: number;
  readonly copyForMs: number;
  readonly #pepper: string | false | undefined;
  readonly codes: CodeLimits;
  readonly features: ReadonlyMap<string, number>;
  readonly production: boolean;

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(options: SessionOptions = {}) {
    const check = new Problems();
    for (const name of Object.keys(options)) if (!KNOWN.has(name)) check.add(`Unknown option \`${name}\``);
    const given = { ...DEFAULTS, ...defined(options) };
    this.backend = given.backend;
    check.oneOf('backend', given.backend ?? 'auto', ['auto', 'redis', 'memory']);
    this.connection = given.connection;
    this.life = check.life('lifetime', given.lifetime);
    const quarterMs = Math.max(1, Math.floor(this.life.idleMs / 4));
    this.touchEveryMs =
      given.touchEvery === undefined
        ? Math.min(60_000, quarterMs)
        : check.ms('touchEvery', given.touchEvery, this.life.idleMs);
    this.rotationGraceMs = check.ms('rotationGrace', given.rotationGrace, 300_000);
    this.maxBytes = check.integer('maxBytes', given.maxBytes, 64, MOST_BYTES);
    this.maxPerUser = check.integer('maxPerUser', given.maxPerUser, 1, 100);
    this.outage = given.outage;
    check.oneOf('outage', given.outage, ['local', 'anonymous', 'closed']);
    this.copies = check.integer('copies', given.copies, 1, 1_000_000);
    this.copyForMs = check.ms('copyFor', given.copyFor, DAY_MS);
    this.#pepper = given.pepper;
    if (given.pepper !== undefined && given.pepper !== false && !isPepper(given.pepper)) {
      check.add('Expected `pepper` to be a text of at least 16 characters, or false'); // which is not shown
    }
    this.codes = check.codes({ ...CODE_DEFAULTS, ...defined(check.object('codes', given.codes)) });
    this.features = new Map(Object.entries(check.object('features', given.features)));
    for (const [feature, percent] of this.features) check.percent(`features.${feature}`, percent);
    this.production = given.production;
    if (typeof given.production !== 'boolean') check.add(`Expected \`production\` to be true or false`);
    check.done();
  }

  /** A secret: no inspection shows it. */
  get pepper(): string | false | undefined {
    return this.#pepper;
  }

  /** @throws InvalidOptionsError */
  lifeOf(lifetime: SessionOptions['lifetime']): Life {
    if (lifetime === undefined) return this.life;
    const check = new Problems();
    const life = check.life('lifetime', lifetime);
    check.done();
    return life;
  }
}

class Problems {
  readonly #problems: string[] = [];

  add(problem: string): void {
    this.#problems.push(problem);
  }

  done(): void {
    if (this.#problems.length > 0) throw new InvalidOptionsError('SessionModule', this.#problems);
  }

  ms(name: string, value: Duration, mostMs: number): number {
    try {
      const ms = toMs(value);
      if (ms > mostMs) this.add(`Expected \`${name}\` to be at most ${mostMs} ms, got ${show(value)}`);
      return ms;
    } catch (error) {
      this.add(`\`${name}\`: ${(error as Error).message}`);
      return NaN;
    }
  }

  integer(name: string, value: number, least: number, most: number): number {
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      this.add(`Expected \`${name}\` to be an integer from ${least} to ${most}, got ${show(value)}`);
    }
    return value;
  }

  object<Value extends object>(name: string, value: Value): Value {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    this.add(`Expected \`${name}\` to be an object, got ${show(value)}`);
    return {} as Value;
  }

  oneOf(name: string, value: string, allowed: readonly string[]): void {
    if (!allowed.includes(value)) this.add(`Expected \`${name}\` to be ${allowed.join(', ')}, got ${show(value)}`);
  }

  percent(name: string, value: number): void {
    if (!isPercent(value)) this.add(`Expected \`${name}\` to be a percentage, got ${show(value)}`);
  }

  life(name: string, value: NonNullable<SessionOptions['lifetime']>): Life {
    const known = typeof value === 'string' ? SESSION_LIFETIMES[value] : value;
    if (known === undefined || known === null) {
      this.add(`Expected \`${name}\` to be web, short or { idle, absolute }, got ${show(value)}`);
      return { idleMs: NaN, absoluteMs: NaN };
    }
    const absoluteMs = this.ms(`${name}.absolute`, known.absolute, 90 * DAY_MS);
    return { idleMs: this.ms(`${name}.idle`, known.idle, absoluteMs), absoluteMs };
  }

  codes(given: Required<CodeOptions>): CodeLimits {
    for (const name of Object.keys(given)) {
      if (!(name in CODE_DEFAULTS)) this.add(`Unknown option \`codes.${name}\``);
    }
    return {
      digits: this.integer('codes.digits', given.digits, 4, 10),
      ttlMs: this.ms('codes.ttl', given.ttl, 3_600_000),
      attempts: this.integer('codes.attempts', given.attempts, 1, 100),
      cooldownMs: given.cooldown === 0 ? 0 : this.ms('codes.cooldown', given.cooldown, 3_600_000),
      sends: this.integer('codes.sends', given.sends, 1, 1_000),
      guesses: this.integer('codes.guesses', given.guesses, 1, 1_000),
      windowMs: this.ms('codes.window', given.window, DAY_MS),
    };
  }
}

/** Whether it is a number from 0 to 100. */
export function isPercent(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 100;
}

function isPepper(value: unknown): boolean {
  return typeof value === 'string' && value.length >= 16;
}
