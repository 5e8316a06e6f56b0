export { AdminGuard, assertAdmin } from './admin.guard.js';
export { cacheHeaders } from './cache-headers.js';
export { serveOpenApi } from './openapi.js';
export { ApiProblems } from './problem-docs.js';
export { answerProbesOnly } from './probes-only.js';
export { answerClientError } from './client-error.js';
export { decodableUrl } from './decodable-url.js';
export { requestIdOf } from './request-id.js';
export { parseRequest, requestSchemaPipe } from './request-schema.pipe.js';
