import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { z } from 'zod';
import { InvalidRequestError } from '../errors/index.js';

const MAX_ISSUES = 20;

/** What a schema of any library tells of a misfit. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
}

/** Validates what `@Body({ schema })` and `@Query({ schema })` declare; a misfit is an {@link InvalidRequestError}. */
export function requestSchemaPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({ exceptionFactory: invalidRequest });
}

/**
 * The same for what no decorator declares, such as the arguments of GraphQL.
 * @throws InvalidRequestError
 */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error.issues);
  return result.data;
}

function invalidRequest(issues: readonly Issue[]): InvalidRequestError {
  return new InvalidRequestError(
    issues.slice(0, MAX_ISSUES).map(({ path = [], message }) => ({
      path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
      message,
    })),
  );
}
