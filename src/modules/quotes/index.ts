export { CARS } from './cars.js';
export { CarUnknownError } from './quotes.errors.js';
