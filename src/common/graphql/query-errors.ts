import { GraphQLError, type ExecutionResult } from 'graphql';
import mercurius, { type MercuriusContext } from 'mercurius';

/**
 * Answers with what is wrong. What a resolver throws has passed the filter of all routes; an error that nobody meant
 * comes from reading the query then, and its words are those of a library's insides.
 */
export function formatErrors(execution: ExecutionResult, context: MercuriusContext) {
  const errors = execution.errors?.map((error) => (isMeant(error) ? error : unreadable(error)));
  return mercurius.defaultErrorFormatter(
    { ...execution, errors } as ExecutionResult & { errors: GraphQLError[] },
    context,
  );
}

function isMeant({ originalError }: GraphQLError): boolean {
  if (originalError == null || originalError instanceof GraphQLError) return true;
  const { code } = originalError as { code?: unknown };
  return typeof code === 'string' && /^(?:MER|FST)_/.test(code);
}

function unreadable({ nodes, path }: GraphQLError): GraphQLError {
  const originalError = Object.assign(new Error('unreadable'), { statusCode: 400 });
  return new GraphQLError('The query cannot be read.', { nodes, path, originalError });
}
