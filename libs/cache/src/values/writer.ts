import type { LoggerService } from '@nestjs/common';
import { deflateRawSync } from 'node:zlib';
import type { CacheConfig } from '../cache.config.js';
import type { CacheMetrics } from '../cache.metrics.js';
import type { Plan } from '../cache.plan.js';
import type { Codec } from './codec.js';
import { VERSION_BYTES, Versions, writeEnvelope, type TagVersion } from './envelope.js';
import { writeFailure } from './failure.js';
import { heldValue, type Held } from './held.js';

const WARN_EVERY_MS = 300_000;

/** What is stored, for how long, and how it reads. */
export interface Written {
  readonly bytes: Buffer;
  readonly lifeMs: number;
  held(): Held;
}

/** When a value was loaded, and what it belongs to. */
export interface Origin {
  readonly tags: readonly TagVersion[];
  /** Ms of the store's clock. */
  readonly now: number;
  readonly loadMs: number;
  /** Of this value, where its load said so. */
  readonly ttlMs?: number | undefined;
}

/** Turns values into what is stored, and refuses what is not to be stored. */
export class Writer {
  readonly #versions = new Versions();
  #warnedAt = -Infinity;

  constructor(
    private readonly config: CacheConfig,
    private readonly metrics: CacheMetrics,
    private readonly logger: LoggerService,
    /** Whether one value may serve many readers. */
    private readonly shares: boolean,
  ) {}

  /** The serialized value; undefined for one that cannot be written, or is too long: it is returned and not stored. */
  payload(value: unknown, codec: Codec): Buffer | undefined {
    if (value === undefined) return undefined;
    let payload: Buffer;
    try {
      payload = codec.encode(value);
      if (codec.id > 15) codec.decode(payload); // a stranger's: what it cannot read again is not stored either
    } catch (error) {
      this.metrics.refused('unstorable');
      this.#warn(`A value cannot be written as ${codec.name} and is not cached: ${(error as Error).message}`);
      return undefined;
    }
    const { maxValueBytes, warnValueBytes } = this.config;
    if (payload.length > maxValueBytes) {
      this.metrics.refused('oversize');
      this.#warn(`A value of ${payload.length} bytes is not cached: \`maxValueBytes\` is ${maxValueBytes}`);
      return undefined;
    }
    if (payload.length > warnValueBytes) {
      this.metrics.large();
      this.#warn(
        `A value of ${payload.length} bytes is cached; from \`warnValueBytes\` (${warnValueBytes}) on that is large`,
      );
    }
    return payload;
  }

  write(payload: Buffer, plan: Plan, { tags, now, loadMs, ttlMs }: Origin, isNull: boolean): Written {
    const life = ttlMs ?? (isNull ? (plan.negativeTtlMs ?? plan.ttlMs) : plan.ttlMs);
    const freshUntil = now + Math.ceil(life * (1 + Math.random() * plan.jitter));
    const keptUntil = freshUntil + plan.graceMs;
    const { payload: packed, compressed } = this.#packed(payload);
    const { codec } = plan;
    const head = { codec: codec.id, compressed, failure: false, freshUntil, keptUntil, loadedAt: now, loadMs, tags };
    const bytes = writeEnvelope(head, packed, this.#versions);
    const held = () => heldValue(head, bytes.toString('latin1', 0, VERSION_BYTES), codec, payload, this.shares);
    return { bytes, lifeMs: Math.ceil(keptUntil - now), held };
  }

  /** The error of a load, for those who ask in the next moment. */
  writeFailure(error: unknown, plan: Plan, { tags, now, loadMs }: Origin): { bytes: Buffer; lifeMs: number } {
    const until = now + plan.errorTtlMs;
    const head = { freshUntil: until, keptUntil: until, loadedAt: now, loadMs, tags };
    const bytes = writeEnvelope(
      { ...head, codec: 1, compressed: false, failure: true },
      writeFailure(error),
      this.#versions,
    );
    return { bytes, lifeMs: plan.errorTtlMs };
  }

  #packed(payload: Buffer): { payload: Buffer; compressed: boolean } {
    const { compressFromBytes } = this.config;
    if (compressFromBytes === false || payload.length < compressFromBytes) return { payload, compressed: false };
    const smaller = deflateRawSync(payload, { level: 1 });
    const helps = smaller.length <= payload.length * 0.9;
    return helps ? { payload: smaller, compressed: true } : { payload, compressed: false };
  }

  #warn(message: string): void {
    const now = performance.now();
    if (now - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    this.logger.warn(message, { event: 'cache.value' });
  }
}
