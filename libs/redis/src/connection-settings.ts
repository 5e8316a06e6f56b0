import type { RedisOptions } from 'ioredis';

/** What a connection is for; each kind fails differently and is set up for it. */
export type ConnectionRole = 'command' | 'raw' | 'producer' | 'worker' | 'blocking' | 'subscriber';

export interface Timing {
  /** How long a TCP or TLS connection may take to open. */
  readonly connectTimeoutMs: number;
  /** How long a socket with a waiting command may stay silent before it is destroyed. */
  readonly socketTimeoutMs: number;
}

/**
 * The client's settings for a role. With its defaults ioredis 6 lets a command wait 74 s for a dead server, hangs for
 * ever on a frozen one, and runs commands whose callers have long given up once the server returns.
 * Measured in Roost's fault tests (`test/chaos`).
 */
export function settingsFor(role: ConnectionRole, timing: Timing): RedisOptions {
  const shared: RedisOptions = {
    lazyConnect: true,
    protocol: 3,
    connectTimeout: timing.connectTimeoutMs,
    keepAlive: 10_000,
    noDelay: true,
    disconnectTimeout: 100,
    // Never null: a client that stops trying is dead until the process restarts.
    retryStrategy: (attempt) => Math.random() * Math.min(2_000, 50 * 2 ** Math.min(attempt, 6)) + 25,
    autoResendUnfulfilledCommands: false, // a sent command may have run: sending it again is the caller's decision
    enableAutoPipelining: false, // a corked socket is faster and keeps p99 low
  };
  if (role === 'command') {
    return {
      ...shared,
      socketTimeout: timing.socketTimeoutMs,
      enableOfflineQueue: false, // nothing may run after its caller has given up
      maxRetriesPerRequest: 0, // also avoids promises that never settle, redis/ioredis#2193
    };
  }
  if (role === 'raw') return { ...shared, enableOfflineQueue: true, maxRetriesPerRequest: 0 }; // see rawClient
  if (role === 'producer') return { ...shared, enableOfflineQueue: true, maxRetriesPerRequest: 0 }; // see failFast
  const patient: RedisOptions = { ...shared, enableOfflineQueue: true, maxRetriesPerRequest: null };
  if (role === 'worker') return patient; // see endure
  return role === 'blocking' ? { ...patient, blockingTimeout: 10_000 } : { ...patient, autoResubscribe: false }; // PubSub does, and hears of failures
}
