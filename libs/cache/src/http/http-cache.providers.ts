import type { Provider } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { methodsOf } from '@roost/redis';
import { HttpCache } from './http-cache.js';
import { HttpCacheGuard } from './http-cache.guard.js';
import { HttpCacheReports } from './http-cache.reports.js';
import { HttpCacheRoutes } from './http-cache.routes.js';

const GUARDS = '__guards__'; // Nest's own key, which `@nestjs/common` does not export

/** What guard and interceptor need besides `CacheService`; both have to be exported with it. */
export const httpCacheProviders: Provider[] = [
  HttpCacheReports,
  HttpCache,
  {
    // Before the routes are made, which is when guards are looked at.
    provide: HttpCacheRoutes,
    inject: [DiscoveryService, MetadataScanner],
    useFactory: (discovery: DiscoveryService, scanner: MetadataScanner) => {
      const methods = [...methodsOf(discovery, scanner)];
      for (const { method } of methods) letOthersGuardFirst(method);
      return new HttpCacheRoutes(methods);
    },
  },
];

export const httpCacheExports = [HttpCache, HttpCacheRoutes];

/** A guard behind this one would not be asked about a request that is answered from the cache. */
function letOthersGuardFirst(method: object): void {
  const guards = (Reflect.getMetadata(GUARDS, method) ?? []) as readonly unknown[];
  if (!guards.includes(HttpCacheGuard) || guards.at(-1) === HttpCacheGuard) return;
  const others = guards.filter((guard) => guard !== HttpCacheGuard);
  Reflect.defineMetadata(GUARDS, [...others, HttpCacheGuard], method);
}
