export { Database } from './database.js';
export { DatabaseModule } from './database.module.js';
export { DatabaseSetupError } from './database.errors.js';
export type { Db } from './driver.js';
export type { Migration } from './migrations.js';
export { outageOf, sqlStateOf } from './outages.js';
