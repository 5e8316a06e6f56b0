export { CarUnknownError } from './quotes.errors.js';
