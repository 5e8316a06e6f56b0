export { cacheOptions } from './catalogue.cache.js';
export { catalogueMigrations } from './catalogue.table.js';
export { CARS } from './fleet.js';
