import { defined, InvalidOptionsError, show, toMs, type BackendMode, type Duration } from '@roost/redis';
import type { PresenceGatewayOptions } from './gateway/gateway.options.js';
import type { PresenceOptions } from './presence.options.js';

const DEFAULTS = { connection: 'default', goneAfter: '10s', typing: '3s', lastSeenFor: '30d', replay: 100 } as const;
const KNOWN = new Set([...Object.keys(DEFAULTS), 'backend', 'lease', 'gateway']);

const GATEWAY_LIMITS = {
  maxRooms: 50,
  maxTextLength: 4_000,
  maxFrameBytes: 32_768,
  maxWaiting: 100,
  slowBytes: 262_144,
  stuckBytes: 4_194_304,
} as const;
const GATEWAY_KNOWN = new Set([
  ...Object.keys(GATEWAY_LIMITS),
  'authenticate',
  'authorize',
  'origins',
  'limit',
  'ping',
]);

/** Beats are so much closer together than a lease is long: one that is lost ends nothing. */
const BEATS = 6;
/** Less than that is less than a process may stand still for. */
const SHORTEST_MS = 100;
/** What a timer can wait for. */
const LONGEST_MS = 2 ** 31 - 1;

/** The gateway's options with nothing left open. */
export type GatewayConfig = PresenceGatewayOptions & {
  readonly [Limit in keyof typeof GATEWAY_LIMITS]: number;
} & { readonly pingMs: number };

/** The module's options with nothing left open; also the DI token for them. */
export class PresenceConfig {
  readonly backend: BackendMode | undefined;
  readonly connection: string;
  readonly goneAfterMs: number;
  readonly leaseMs: number;
  /** How often a node gives a sign of life. */
  readonly beatMs: number;
  readonly typingMs: number;
  readonly lastSeenForMs: number;
  readonly replay: number;
  /** Absent when there is to be no gateway. */
  readonly gateway: GatewayConfig | undefined;

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(options: PresenceOptions) {
    const problems: string[] = [];
    for (const name of Object.keys(options)) if (!KNOWN.has(name)) problems.push(`Unknown option \`${name}\``);
    const given = { ...DEFAULTS, ...defined(options) };
    const ms = (name: 'goneAfter' | 'typing' | 'lastSeenFor') => milliseconds(name, given[name], problems);
    this.backend = given.backend;
    this.connection = given.connection;
    this.goneAfterMs = ms('goneAfter');
    this.leaseMs = given.lease === undefined ? this.goneAfterMs : milliseconds('lease', given.lease, problems);
    this.beatMs = this.leaseMs / BEATS;
    this.typingMs = ms('typing');
    this.lastSeenForMs = ms('lastSeenFor');
    this.replay = given.replay;
    if (given.backend !== undefined && !['auto', 'redis', 'memory'].includes(given.backend)) {
      problems.push(`Expected \`backend\` to be auto, redis or memory, got ${show(given.backend)}`);
    }
    for (const name of ['goneAfter', 'lease'] as const) {
      if (this[`${name}Ms`] < SHORTEST_MS) problems.push(`Expected \`${name}\` to be at least ${SHORTEST_MS} ms`);
    }
    for (const name of ['goneAfterMs', 'leaseMs', 'typingMs'] as const) {
      if (this[name] > LONGEST_MS) problems.push(`Expected \`${name.slice(0, -2)}\` to be at most 24 days`);
    }
    if (!Number.isSafeInteger(this.replay) || this.replay < 1 || this.replay > 10_000) {
      problems.push(`Expected \`replay\` to be an integer from 1 to 10000, got ${show(this.replay)}`);
    }
    this.gateway =
      given.gateway === undefined ? undefined : gatewayConfig(Object(given.gateway), this.goneAfterMs, problems);
    if (problems.length > 0) throw new InvalidOptionsError('PresenceModule', problems);
  }
}

function gatewayConfig(options: PresenceGatewayOptions, goneAfterMs: number, problems: string[]): GatewayConfig {
  for (const name of Object.keys(options)) {
    if (!GATEWAY_KNOWN.has(name)) problems.push(`Unknown option \`gateway.${name}\``);
  }
  const given = { ...GATEWAY_LIMITS, ...defined(options) };
  for (const name of Object.keys(GATEWAY_LIMITS) as (keyof typeof GATEWAY_LIMITS)[]) {
    if (!Number.isSafeInteger(given[name]) || given[name] < 1) {
      problems.push(`Expected \`gateway.${name}\` to be a positive integer, got ${show(given[name])}`);
    }
  }
  for (const name of ['authenticate', 'authorize', 'limit'] as const) {
    if (typeof given[name] !== 'function' && !(name === 'limit' && given.limit === undefined)) {
      problems.push(`Expected \`gateway.${name}\` to be a function, got ${show(given[name])}`);
    }
  }
  const { origins } = given;
  if (origins !== undefined && origins !== '*' && !(Array.isArray(origins) && origins.every(isOrigin))) {
    problems.push(
      `Expected \`gateway.origins\` to be '*' or origins such as https://example.org, got ${show(origins)}`,
    );
  }
  const pingMs = given.ping === undefined ? goneAfterMs / 3 : milliseconds('gateway.ping', given.ping, problems);
  if (given.ping !== undefined && (pingMs < SHORTEST_MS || pingMs > LONGEST_MS)) {
    problems.push(`Expected \`gateway.ping\` to be from ${SHORTEST_MS} ms to 24 days, got ${show(given.ping)}`);
  }
  if (given.stuckBytes < given.slowBytes) {
    problems.push(`Expected \`gateway.stuckBytes\` to be at least \`slowBytes\` (${given.slowBytes})`);
  }
  return { ...given, pingMs };
}

function isOrigin(text: unknown): boolean {
  return typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text;
}

function milliseconds(name: string, value: Duration, problems: string[]): number {
  try {
    return toMs(value);
  } catch (error) {
    problems.push(`\`${name}\`: ${(error as Error).message}`);
    return NaN;
  }
}
