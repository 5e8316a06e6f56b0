export { bootFailure } from './boot-failure.js';
export { ProblemFilter } from './problem.filter.js';
export { AdminClosedError, AdminTokenError, InvalidRequestError, type RequestIssue } from './http.errors.js';
export { answerTo, type Problem } from './problem.js';
