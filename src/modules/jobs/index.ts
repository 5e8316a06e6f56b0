export { queueOptions } from './jobs.options.js';
