import { defined, InvalidOptionsError, show, type BackendMode, type Duration } from '@roost/redis';
import type { CacheModuleOptions, CacheOptions, NearOptions } from './cache.options.js';
import { milliseconds } from './cache.plan.js';

const DEFAULTS = {
  connection: 'default',
  namespace: 'app',
  defaults: {},
  near: {} as NearOptions,
  tracking: 'auto',
  maxValueBytes: 10_240,
  warnValueBytes: 5_120,
  compressFromBytes: false,
  lease: '3s',
  outageTtl: '5s',
  maxPendingInvalidations: 10_000,
  foreignJson: false,
} as const satisfies CacheModuleOptions;

const KNOWN = new Set([...Object.keys(DEFAULTS), 'backend', 'version', 'cost']);

const PART = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;

/** The module's options with nothing left open; also the DI token for them. */
export class CacheConfig {
  readonly backend: BackendMode | undefined;
  readonly connection: string;
  readonly namespace: string;
  readonly version: string | undefined;
  readonly defaults: CacheOptions;
  /** 0 without values in this process. */
  readonly nearBytes: number;
  readonly tracking: 'auto' | 'off';
  readonly maxValueBytes: number;
  readonly warnValueBytes: number;
  readonly compressFromBytes: number | false;
  readonly leaseMs: number;
  readonly outageTtlMs: number;
  readonly maxPendingInvalidations: number;
  readonly foreignJson: boolean;
  readonly cost: { readonly perLoad: number; readonly currency: string } | undefined;

  /** @throws InvalidOptionsError that names every problem at once. */
  constructor(options: CacheModuleOptions) {
    const problems: string[] = [];
    for (const name of Object.keys(options)) if (!KNOWN.has(name)) problems.push(`There is no option \`${name}\``);
    const given = { ...DEFAULTS, ...defined(options) };
    this.backend = given.backend;
    this.connection = given.connection;
    this.namespace = given.namespace;
    this.version = given.version;
    this.defaults = given.defaults;
    this.nearBytes = given.near === false ? 0 : (given.near.maxBytes ?? 32 * 1_024 * 1_024);
    this.tracking = given.tracking;
    this.maxValueBytes = given.maxValueBytes;
    this.warnValueBytes = Math.min(given.warnValueBytes, given.maxValueBytes);
    this.compressFromBytes = given.compressFromBytes;
    const ms = (name: 'lease' | 'outageTtl', value: Duration) =>
      milliseconds(name, value, { orZero: name === 'outageTtl', most: 3_600_000 }, problems)!;
    this.leaseMs = ms('lease', given.lease);
    this.outageTtlMs = ms('outageTtl', given.outageTtl);
    this.maxPendingInvalidations = given.maxPendingInvalidations;
    this.foreignJson = given.foreignJson;
    this.cost = given.cost && { currency: '$', ...given.cost };
    this.#check(problems);
    if (problems.length > 0) throw new InvalidOptionsError('CacheModule', problems);
  }

  /** What values may take where this process keeps them instead of Redis. */
  get memoryBytes(): number {
    return this.nearBytes || 32 * 1_024 * 1_024;
  }

  /** What the keys begin with: those of another version, or of another database, never meet them. */
  space(database: number): string {
    const parts = [this.namespace, this.version ?? '', database === 0 ? '' : `${database}`];
    return parts.join(',').replace(/,+$/, '');
  }

  #check(problems: string[]): void {
    if (this.backend !== undefined && !['auto', 'redis', 'memory'].includes(this.backend)) {
      problems.push(`Expected \`backend\` (CACHE_BACKEND) to be auto, redis or memory, got ${show(this.backend)}`);
    }
    for (const name of ['namespace', 'version'] as const) {
      if (this[name] !== undefined && !PART.test(this[name])) {
        problems.push(`Expected \`${name}\` to be 1 to 32 letters, digits and _ . -, got ${show(this[name])}`);
      }
    }
    if (this.tracking !== 'auto' && this.tracking !== 'off') {
      problems.push(`Expected \`tracking\` to be auto or off, got ${show(this.tracking)}`);
    }
    const { compressFromBytes } = this;
    const numbers = { maxValueBytes: this.maxValueBytes, warnValueBytes: this.warnValueBytes };
    const counts = { ...numbers, maxPendingInvalidations: this.maxPendingInvalidations, nearBytes: this.nearBytes };
    for (const [name, value] of Object.entries({ ...counts, compressFromBytes: compressFromBytes || 0 })) {
      const named = name === 'nearBytes' ? 'near.maxBytes' : name;
      if (!Number.isSafeInteger(value) || value < 0)
        problems.push(`Expected \`${named}\` to be a whole number, got ${show(value)}`);
    }
    if (this.leaseMs < 100) problems.push(`Expected \`lease\` to be at least 100 ms, got ${this.leaseMs} ms`);
    if (typeof this.foreignJson !== 'boolean') {
      problems.push(`Expected \`foreignJson\` to be true or false, got ${show(this.foreignJson)}`);
    }
    if (this.cost !== undefined && !(this.cost.perLoad >= 0)) {
      problems.push(`Expected \`cost.perLoad\` to be a number from 0, got ${show(this.cost.perLoad)}`);
    }
  }
}
