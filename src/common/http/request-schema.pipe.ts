import { StandardSchemaValidationPipe } from '@nestjs/common';
import { InvalidRequestError } from '../errors/index.js';

const MAX_ISSUES = 20;

/** Validates what `@Body({ schema })` and `@Query({ schema })` declare; a misfit is an {@link InvalidRequestError}. */
export function requestSchemaPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({
    exceptionFactory: (issues) =>
      new InvalidRequestError(
        issues.slice(0, MAX_ISSUES).map(({ path = [], message }) => ({
          path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
          message,
        })),
      ),
  });
}
