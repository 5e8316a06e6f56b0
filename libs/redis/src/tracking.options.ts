import { show } from './duration.js';
import type { Key } from './key.js';
import { InvalidOptionsError } from './redis.errors.js';

/** What to hear of, and who hears it. */
export interface TrackingOptions {
  /** Beginnings of the keys to hear of, without the connection's prefix; none begins with another. */
  readonly prefixes: readonly string[];
  /** A key under one of the prefixes that holds nothing: it is written to see whether the server tells of it. */
  readonly probe: Key;
  /** The channel on which writers tell of keys when the server does not; see {@link Tracking.announceTo}. */
  readonly channel: string;
  /** `off` hears nothing and trusts nothing. @default 'auto' */
  readonly mode?: 'auto' | 'off';
  readonly listener: TrackingListener;
}

/** Hears of changes, and of the times in which some are missed. */
export interface TrackingListener {
  /** These keys were written, deleted, expired or evicted: names without the connection's prefix. */
  changed(keys: readonly string[]): void;
  /** Any key may have changed: some database was flushed. */
  flushed(): void;
  /** Changes are missed from now on: nothing known may be trusted. Said once per loss. */
  lost(): void;
  /**
   * The server tells of changes, which has been tested; may ask Redis before the tracking is declared coherent. When it
   * rejects, all is tried anew.
   */
  prepare(server: TrackedServer): Promise<void>;
  /** A connection of commands was opened anew: another server may answer than before. */
  reconnected?(): void;
  /** From now on every change is told. What was learned since `lost()` and before this is void, too. */
  coherent(): void;
}

/** The server whose keys are tracked. */
export interface TrackedServer {
  /** Another one after each start of the server; undefined when INFO is refused. */
  readonly runId: string | undefined;
}

/**
 * By what one hears of changes: pushes of the server, redirected to a subscription (`resp2`) or on a protocol 3
 * connection (`resp3`); messages that writers publish (`pubsub`); or nothing.
 */
export type TrackingMode = 'resp2' | 'resp3' | 'pubsub' | 'off';

/** @throws InvalidOptionsError that names every problem at once. */
export function checkTrackingOptions({ prefixes, probe }: TrackingOptions): void {
  const problems: string[] = [];
  if (prefixes.length === 0 || prefixes.includes('')) problems.push('Expected `prefixes` to name some keys, not all');
  for (const [index, prefix] of prefixes.entries()) {
    const other = prefixes.find((each, at) => at !== index && prefix.startsWith(each));
    if (other) problems.push(`Expected no prefix to begin with another, got ${show(other)} and ${show(prefix)}`);
  }
  if (!prefixes.some((prefix) => probe.name.startsWith(prefix))) {
    problems.push(`Expected \`probe\` to be under one of the prefixes, got ${show(probe.name)}`);
  }
  if (problems.length > 0) throw new InvalidOptionsError('RedisConnection.track', problems);
}
