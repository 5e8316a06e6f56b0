// Module
export { SessionModule } from './session.module.js';
export type {
  CodeOptions,
  SessionLifetime,
  SessionLifetimeName,
  SessionOptions,
  SessionOutage,
} from './session.options.js';
export { SESSION_LIFETIMES } from './session.config.js';

// Sessions
export { Sessions, type SessionSummary, type StartOptions } from './sessions/sessions.service.js';
export { Session } from './sessions/session.js';
export type { SessionData } from './sessions/session.fields.js';
export type { SessionEnded } from './sessions/session.endings.js';

// Sessions of express-session and @fastify/session
export { SessionStores } from './middleware/session-stores.js';
export { RoostSessionStore, type RoostSessionStoreOptions } from './middleware/roost-session.store.js';

// One-time codes and tokens
export {
  OneTimeCodes,
  type CodePurpose,
  type CodeVerdict,
  type IssuedCode,
} from './one-time/one-time-codes.service.js';
export { OneTimeTokens, type TokenGrant, type TokenOptions } from './one-time/one-time-tokens.service.js';

// Flags
export { Flags } from './flags/flags.service.js';
export { FeatureFlags, type FeatureState, type FeatureTtl } from './flags/feature-flags.service.js';

// Stores
export {
  SessionStore,
  type SessionChanges,
  type SessionCreated,
  type SessionDraft,
  type SessionEndReason,
  type SessionFound,
  type SessionNews,
  type SessionRotation,
  type StoredSession,
} from './sessions/session.store.js';
export { RedisSessionStore, type RedisSessionStoreParts } from './sessions/redis-session.store.js';
export { MemorySessionStore, type MemorySessionStoreOptions } from './sessions/memory-session.store.js';
export { CodeStore, type CodeIssue, type CodeSubject, type CodeTry } from './one-time/code.store.js';
export { ValueStore, type StoredValue } from './values/value.store.js';
export { sessionKeys } from './session.keys.js';

// Errors
export {
  CodeCooldownError,
  CodeLockedError,
  CodesDisabledError,
  InvalidSessionCallError,
  SessionError,
  SessionGoneError,
  SessionNotRotatedError,
  SessionTooLargeError,
  SessionUnavailableError,
  UnstorableValueError,
} from './session.errors.js';
