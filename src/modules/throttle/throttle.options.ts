import type { ProxyOptions, ProxyPreset, ThrottleOptions } from '@roost/throttle';
import type { Config } from '../../common/config/index.js';
import { claimedUser, tierOf } from './subjects.js';

/** Every rate limit of this service. */
export const policies = {
  login: [
    // A log, not the default: 5 in any minute, never a burst and then some more.
    { name: 'user', limit: 5, window: '1m', algorithm: 'sliding-log', key: claimedUser },
    { name: 'address', limit: 100, window: '1m', key: 'ip' },
  ],
  quotes: { limit: 'byTier', key: 'apiKey' },
  // What people say and type, over all of their sockets; asked by the gateway.
  chat: { limit: 3_000, window: '1m', key: 'user' },
} as const satisfies ThrottleOptions['policies'];

/** What partners may ask for, by the tier of their API key; without a key as `free`, counted by address. */
export const tiers = {
  free: '100/1h',
  starter: '1000/1h',
  pro: '10000/1h',
  enterprise: 'unlimited',
} as const satisfies ThrottleOptions['tiers'];

/** How the service configures `@roost/throttle`. */
export function throttleOptions(config: Config): ThrottleOptions {
  return {
    policies,
    tiers,
    tierOf,
    backend: config.RATE_LIMIT_BACKEND,
    canaryPercent: config.RATE_LIMIT_CANARY_PERCENT,
    replicas: config.ROOST_REPLICAS,
    proxy: proxyOf(config.ROOST_PROXY),
  };
}

const presets: readonly ProxyPreset[] = ['cloudflare', 'aws-alb', 'gcp'];

/** What the variable ROOST_PROXY means. */
export function proxyOf(text: string | undefined): ProxyOptions | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return { hops: Number(text) };
  return presets.find((preset) => preset === text) ?? { cidrs: text.split(',') };
}
