import { NestFactory } from '@nestjs/core';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import type { AddressInfo } from 'node:net';
import { STRICT, UNREACHABLE, type Opened, type Task } from '../contestant.js';

/** What the load names its clients in: where an API key is looked for unless one says otherwise. */
export const CLIENT_HEADER = 'x-api-key';
/** What the limited route answers: 200 bytes of JSON. */
export const BODY = { text: 'x'.repeat(188) };

/** Counts who was let in. */
export class Admissions {
  count = 0;
}

class BenchService {}

/** The limit of the route, per hour: one that nobody reaches, or one that every attacker does. */
export function limitOf({ work }: Task): number {
  return work.endsWith('attack') ? STRICT : UNREACHABLE;
}

/** Starts NestJS with a controller whose handler counts; the first word of the work names the adapter. */
export async function openService(
  { work }: Task,
  controller: Type,
  imports: DynamicModule[] = [],
): Promise<Opened & { close(): Promise<void> }> {
  const module: DynamicModule = { module: BenchService, imports, controllers: [controller], providers: [Admissions] };
  const adapter = work.startsWith('Express')
    ? new (await import('@nestjs/platform-express')).ExpressAdapter()
    : new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  const app = await NestFactory.create<INestApplication>(module, adapter, { logger: false });
  await app.listen(0, '127.0.0.1');
  const admissions = app.get(Admissions);
  return {
    port: (app.getHttpServer().address() as AddressInfo).port,
    admitted: () => admissions.count,
    close: () => app.close(),
  };
}
