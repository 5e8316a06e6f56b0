export { EMAILS } from './emails.schemas.js';
export type { Confirmation } from './emails.schemas.js';
