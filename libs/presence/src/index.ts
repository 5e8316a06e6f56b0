// Module
export { PresenceModule } from './presence.module.js';
export type { PresenceOptions } from './presence.options.js';

// Services
export { PresenceService, type JoiningDevice, type RoomList } from './presence.service.js';
export { OnlineDevice, PresenceMember } from './presence.member.js';
export type { PresenceEvent, PresentUser } from './watching/presence.event.js';

// Sockets
export { PresenceGateway } from './gateway/presence.gateway.js';
export type { Handshake, Identity, InboundEvent, PresenceGatewayOptions } from './gateway/gateway.options.js';

// Stores
export {
  PresenceStore,
  type Beat,
  type Change,
  type DeadNode,
  type Departure,
  type Device,
  type DeviceUpdate,
  type RoomDiff,
  type RoomState,
  type StoredMember,
  type Topic,
} from './stores/presence.store.js';
export { presenceKeys } from './stores/presence.keys.js';
export { MemoryPresenceStore, type MemoryPresenceStoreOptions } from './stores/memory-presence.store.js';
export { RedisPresenceStore, type RedisPresenceStoreParts } from './stores/redis-presence.store.js';

// Errors
export {
  ForeignOriginError,
  InvalidEventError,
  InvalidPresenceMetaError,
  InvalidPresenceNameError,
  NotAuthenticatedError,
  NotInRoomError,
  RoomForbiddenError,
  TooManyEventsError,
  TooManyRoomsError,
} from './presence.errors.js';
