export { CONFIG, readConfig, type Config } from './config.js';
export { ConfigModule } from './config.module.js';
export { InvalidConfigError } from './config.errors.js';
export { envExample } from './env-example.js';
export { VERSION } from './version.js';
