import type { LoggerService } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AppModule } from '../../src/app.module.js';
import { configure, createAdapter } from '../../src/app.setup.js';
import { CONFIG, readConfig } from '../../src/common/config/index.js';

/** One line that the service logged. */
interface LogLine {
  readonly level: string;
  readonly message: unknown;
  readonly context?: string;
  readonly [field: string]: unknown;
}

/** The service in this process, in memory mode, as main.ts would start it. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly lines: LogLine[];
  /** The request lines, without whatever else was logged. */
  requestLines(): LogLine[];
}

export async function startService(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const lines: LogLine[] = [];
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .setLogger(collect(lines))
    .overrideProvider(CONFIG)
    .useValue(readConfig({ NODE_ENV: 'test', ROOST_BACKEND: 'memory', ROOST_DRAIN_MS: '0', ...env }))
    .compile();
  const app = configure(module.createNestApplication<NestFastifyApplication>(createAdapter()));
  app.useLogger(collect(lines));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return { app, lines, requestLines: () => lines.filter(({ message }) => message === 'request') };
}

function collect(lines: LogLine[]): LoggerService {
  const at =
    (level: string) =>
    (message: unknown, ...rest: unknown[]) => {
      const context = typeof rest.at(-1) === 'string' ? (rest.pop() as string) : undefined;
      lines.push({ level, message, context, ...(rest[0] as object | undefined) });
    };
  return { log: at('log'), error: at('error'), warn: at('warn'), debug: at('debug'), verbose: at('verbose') };
}
