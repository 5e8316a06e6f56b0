export { bootFailure } from './boot-failure.js';
export { ProblemFilter } from './problem.filter.js';
export { AdminClosedError, AdminTokenError, InvalidRequestError } from './http.errors.js';
export { answerTo } from './problem.js';
export { sendProblem } from './send-problem.js';
