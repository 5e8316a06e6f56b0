import {
  ConsoleLogger,
  Module,
  type HttpServer,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { request as send } from 'node:http';
import { connect } from 'node:net';
import { CacheModule } from '../cache.module.js';
import type { CacheModuleOptions } from '../cache.options.js';
import { CacheService } from '../cache.service.js';

/** An application with a cache, for specs. */
export interface Testbed {
  readonly app: INestApplication;
  readonly cache: CacheService;
  readonly port: number;
  readonly warnings: readonly string[];
  ask(path: string, headers?: Record<string, string>, method?: string, body?: unknown): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface TestbedOptions {
  readonly adapter: () => HttpServer;
  /** Where its Redis is. @default none: the cache is in memory */
  readonly url?: string;
  readonly cache?: CacheModuleOptions;
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly prepare?: (app: INestApplication) => void;
}

export async function openTestbed({ adapter, url, cache, prepare, ...metadata }: TestbedOptions): Promise<Testbed> {
  @Module({
    imports: [
      RedisModule.forRoot({ ...(url !== undefined && { url }) }),
      // What `Cache-Status` says is compared to the second.
      CacheModule.forRoot({ defaults: { jitter: 0 }, ...cache }),
    ],
    ...metadata,
  })
  class AppModule {}

  const warnings: string[] = [];
  const logger = new ConsoleLogger({ logLevels: [] });
  logger.warn = (message: unknown) => void warnings.push(String(message));
  const app = await NestFactory.create(AppModule, adapter() as never, { logger, abortOnError: false });
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  return {
    app,
    cache: app.get(CacheService, { strict: false }),
    port,
    warnings,
    ask: (path, headers = {}, method = 'GET', body) => ask(port, path, { headers, method }, body),
  };
}

/** Not by `fetch`, which sends no `Host` but its own. */
function ask(
  port: number,
  path: string,
  options: { readonly headers: Record<string, string>; readonly method: string },
  body: unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = send({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        );
        resolve({ status: response.statusCode!, headers, body: text });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    if (body === undefined) request.end();
    else request.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
}

/** What is asked of a `RedisServer` of @roost/testing, which only specs import. */
interface Server {
  keys(pattern: string): Promise<string[]>;
  command(...args: string[]): Promise<unknown>;
}

/** What Redis keeps, by the names of its keys; an empty entry, which ends at once, tells of a load without a value. */
export async function entriesOf(server: Server): Promise<string[]> {
  const names = await server.keys('roost:cache:*:e:*');
  const lengths = await Promise.all(names.map((name) => server.command('STRLEN', name)));
  return names.filter((_name, at) => Number(lengths[at]) > 0);
}

/** Loads that are under way, by the names of their leases. */
export function loadsOf(server: Server): Promise<string[]> {
  return server.keys('roost:cache:*:l:*');
}

/** The key that an entry has in {@link CacheService}. */
export function keyOfEntry(name: string): string {
  return decodeURIComponent(/:e:\{(.+)\}$/.exec(name)![1]!);
}

/** Clears the cache, and Redis of what it has left there. */
export async function empty({ cache }: Testbed, server: Server): Promise<void> {
  await cache.clear();
  const left = await entriesOf(server);
  if (left.length > 0) await server.command('DEL', ...left);
}

/** Asks and hangs up at once. */
export async function askAndLeave(port: number, path: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`, resolve);
  });
  socket.destroy();
}
