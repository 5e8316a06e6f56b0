import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { VERSION } from '../config/index.js';

/** Serves the description of all routes at `/docs` (for people) and `/docs/openapi.json`; it is made when first asked for. */
export function serveOpenApi(app: INestApplication): void {
  const description = new DocumentBuilder()
    .setTitle('Roost')
    .setDescription(
      'A car rental on the Redis layer for NestJS. Every error is an RFC 9457 problem with an `errorCode`.',
    )
    .setVersion(VERSION)
    .addApiKey({ type: 'apiKey', in: 'header', name: 'x-api-key' }, 'apiKey')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'x-admin-token' }, 'admin')
    .addCookieAuth('sid', { type: 'apiKey', in: 'cookie' }, 'session')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description, { autoTagControllers: true }), {
    jsonDocumentUrl: 'docs/openapi.json',
    raw: ['json'],
  });
}
