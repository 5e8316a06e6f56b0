/** What the samples of one README take for granted. */
interface Granted {
  /** Of samples that import nothing. */
  readonly imports?: string;
  /** What the reader's own code is. */
  readonly own?: string;
}

const GRANTED: Readonly<Record<string, Granted>> = {
  throttle: {
    own: `
      declare const limiter: import('@roost/throttle').RateLimiter;
      declare const userId: string, ip: string, subject: string;`,
  },
  lock: {
    imports: `import { lockKey, LockedCron, type Lock } from '@roost/lock';`,
    own: `
      declare const locks: import('@roost/lock').LockService, signal: AbortSignal, carId: string, requestKey: string, body: string;
      declare const db: { transaction<T>(run: (tx: object) => Promise<T>): Promise<T> };
      declare function index(signal: AbortSignal): Promise<void>; declare function charge(): Promise<string>;`,
  },
  session: {
    imports: `import { UnauthorizedException } from '@nestjs/common';`,
    own: `
      interface Held { userId?: string }
      declare const app: import('@nestjs/platform-express').NestExpressApplication &
        import('@nestjs/platform-fastify').NestFastifyApplication;
      declare const sessions: import('@roost/session').Sessions, codes: import('@roost/session').OneTimeCodes;
      declare const tokens: import('@roost/session').OneTimeTokens, flags: import('@roost/session').Flags;
      declare const features: import('@roost/session').FeatureFlags;
      declare const typed: string, id: string, handle: string, email: string, userId: string, secret: string;
      declare const user: object | undefined;
      declare function closeSocketsOf(handle: string): void;`,
  },
  presence: {
    imports: `
      import { WebSocketGateway } from '@nestjs/websockets';
      import { PresenceGateway } from '@roost/presence';`,
    own: `
      declare const presence: import('@roost/presence').PresenceService;
      declare const sessions: { userOf(cookie: unknown): Promise<{ userId: string } | null> };
      declare const rooms: { has(room: string, userId: string): Promise<boolean> };`,
  },
  queue: {
    imports: `import { StreamConsumer, type StreamMessage } from '@roost/queue';`,
    own: `
      interface Booking { readonly id: string }
      interface Transaction { insert(table: object): { values(row: object): Promise<void> } }
      interface Database { transaction(run: (tx: Transaction) => Promise<void>): Promise<void> }
      declare const bookings: object;
      declare const confirmSchema: import('@roost/queue').StandardSchema<unknown>;`,
  },
  health: {
    imports: `
      import { Module } from '@nestjs/common';
      import { HealthModule } from '@roost/health';
      import { RedisModule } from '@roost/redis';`,
    own: `
      declare const registry: import('@roost/redis').HealthRegistry;
      declare const provider: { readonly ok: boolean; readonly errorClass: string };`,
  },
  testing: { imports: `import { eventually, FaultProxy, RedisServer, ServiceProcess } from '@roost/testing';` },
};

/** A sample with all that its reader has. One of a method alone is in a class. */
export function grantedTo(lib: string, sample: string): string {
  const { imports = '', own = '' } = GRANTED[lib] ?? {};
  const code = /^@\w+\(.*\n(async )?\w+\(/.test(sample) ? `export class Sample {\n${sample}}` : sample;
  return [/^import /m.test(sample) ? '' : imports, own, code, 'export {};'].join('\n');
}
