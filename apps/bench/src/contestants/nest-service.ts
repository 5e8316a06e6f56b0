import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DynamicModule, Type } from '@nestjs/common';
import type { AddressInfo } from 'node:net';
import { STRICT, UNREACHABLE, type Opened, type Task } from '../contestant.js';

/** What the load names its clients in. */
export const CLIENT_HEADER = 'x-client';
/** What the limited route answers: 200 bytes of JSON. */
export const BODY = { text: 'x'.repeat(188) };

/** Counts who was let in. */
export class Admissions {
  count = 0;
}

class BenchService {}

/** The limit of the route, per hour: one that nobody reaches, or one that every attacker does. */
export function limitOf({ work }: Task): number {
  return work === 'attack' ? STRICT : UNREACHABLE;
}

/** Starts NestJS on Fastify with a controller whose handler counts. */
export async function openService(controller: Type, imports: DynamicModule[] = []): Promise<Opened> {
  const module: DynamicModule = { module: BenchService, imports, controllers: [controller], providers: [Admissions] };
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  const admissions = app.get(Admissions);
  return {
    port: (app.getHttpServer().address() as AddressInfo).port,
    admitted: () => admissions.count,
    close: () => app.close(),
  };
}
