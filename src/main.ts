import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { configure, createAdapter } from './app.setup.js';
import { CONFIG, type Config } from './common/config/index.js';
import { bootFailure } from './common/errors/index.js';

async function main(): Promise<void> {
  // Logs wait until the configuration says how they look. A boot that fails drops them: its one message is enough.
  const options = { bufferLogs: true, autoFlushLogs: false, abortOnError: false };
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, createAdapter(), options);
  process.once('SIGTERM', () => process.once('SIGTERM', () => process.exit(143)));
  await configure(app).listen(app.get<Config>(CONFIG).PORT, '0.0.0.0');
  new Logger('Roost').log('Listening', { url: await app.getUrl() });
}

main().catch((error: unknown) => {
  process.stderr.write(`${bootFailure(error)}\n`);
  process.exit(1);
});
