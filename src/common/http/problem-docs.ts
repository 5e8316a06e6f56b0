import { applyDecorators } from '@nestjs/common';
import { ApiResponse, type ApiResponseSchemaHost } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';

const problem = {
  type: 'object',
  required: ['type', 'title', 'status', 'errorCode'],
  properties: {
    type: { type: 'string', format: 'uri', example: 'urn:roost:error:request.invalid' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people; program against `errorCode`.' },
    errorCode: { type: 'string', description: 'See docs/errors.md.' },
  },
} satisfies ApiResponseSchemaHost['schema'];

const issues = {
  type: 'array',
  items: {
    type: 'object',
    required: ['path', 'message'],
    properties: { path: { type: 'string' }, message: { type: 'string' } },
  },
} satisfies ApiResponseSchemaHost['schema'];

const rateLimit = {
  RateLimit: { description: 'What remains of each limit, and when it resets.', schema: { type: 'string' } },
  'RateLimit-Policy': { description: 'The limits that apply.', schema: { type: 'string' } },
} satisfies ApiResponseSchemaHost['headers'];
const retryAfter = {
  'Retry-After': { description: 'Whole seconds to wait.', schema: { type: 'integer' } },
} satisfies ApiResponseSchemaHost['headers'];

/** Documents the problems a route may answer with, by status. */
export function ApiProblems(...statuses: readonly number[]): MethodDecorator & ClassDecorator {
  return applyDecorators(
    ...statuses.map((status) =>
      ApiResponse({
        status,
        description: STATUS_CODES[status] ?? 'Error',
        content: {
          'application/problem+json': {
            schema: status === 422 ? { ...problem, properties: { ...problem.properties, issues } } : problem,
          },
        },
        ...(status === 429 && { headers: { ...retryAfter, ...rateLimit } }),
        ...(status === 503 && { headers: retryAfter }),
      } as unknown as ApiResponseSchemaHost),
    ),
  );
}
