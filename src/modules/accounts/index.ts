export { sessionIdIn, sessionOptions } from './accounts.sessions.js';
