// Keys and scripts
export { defineKey, Key, type KeyDefinition, type KeyOptions, type KeyParts } from './key.js';
export { defineScript, type ByName, type Script, type ScriptArg } from './script.js';
export { digest, shareOf } from './digest.js';
export { show, toMs, type Duration } from './duration.js';

// Commands
export { Commands, type CommandArg } from './commands.js';

// Errors
export { classifyError, stops, type ErrorClass } from './error-class.js';
export {
  CrossSlotError,
  InvalidKeyError,
  InvalidOptionsError,
  RedisNotConfiguredError,
  RedisReplyError,
  RedisRequiredError,
  RedisTimeoutError,
  RedisUnavailableError,
  RoostError,
} from './redis.errors.js';
