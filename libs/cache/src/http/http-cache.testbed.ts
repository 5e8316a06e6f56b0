import {
  ConsoleLogger,
  Module,
  type HttpServer,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { RedisModule } from '@roost/redis';
import { connect } from 'node:net';
import { CacheService } from '../cache.service.js';
import { httpCacheExports, httpCacheProviders } from './http-cache.providers.js';
import { MapCache } from './map-cache.js';

/** An application whose cache is a {@link MapCache}, for specs. */
export interface Testbed {
  readonly app: INestApplication;
  readonly cache: MapCache;
  readonly port: number;
  readonly warnings: readonly string[];
  ask(path: string, headers?: Record<string, string>, method?: string, body?: unknown): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface TestbedOptions {
  readonly adapter: () => HttpServer;
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly prepare?: (app: INestApplication) => void;
}

export async function openTestbed({ adapter, prepare, ...metadata }: TestbedOptions): Promise<Testbed> {
  const cache = new MapCache();
  @Module({
    imports: [DiscoveryModule],
    providers: [{ provide: CacheService, useValue: cache }, ...httpCacheProviders],
    exports: [CacheService, ...httpCacheExports],
  })
  class MapCacheModule {}
  @Module({ imports: [RedisModule.forRoot({}), { module: MapCacheModule, global: true }], ...metadata })
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
    cache,
    port,
    warnings,
    ask: async (path, headers = {}, method = 'GET', body) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        redirect: 'manual',
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
      };
    },
  };
}

/** Asks and hangs up at once. */
export async function askAndLeave(port: number, path: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`, resolve);
  });
  socket.destroy();
}
