import type { MercuriusDriverConfig } from '@nestjs/mercurius';
import type { Config } from '../config/index.js';
import { maxFields } from './max-fields.rule.js';
import { formatErrors } from './query-errors.js';

/** The query by which tools read the whole schema asks for some 60 fields, up to 14 below each other. */
const MAX_FIELDS = 100;
const MAX_DEPTH = 15;
/** Parsed queries that are remembered. */
const CACHED_QUERIES = 256;

/** How the service answers `POST /graphql`. The body limit is that of all routes. */
export function graphqlOptions({ NODE_ENV }: Pick<Config, 'NODE_ENV'>): MercuriusDriverConfig {
  return {
    autoSchemaFile: true,
    path: '/graphql',
    graphiql: NODE_ENV === 'development',
    queryDepth: MAX_DEPTH,
    validationRules: [maxFields(MAX_FIELDS)],
    cache: CACHED_QUERIES,
    errorFormatter: formatErrors,
    allowBatchedQueries: false,
  };
}
