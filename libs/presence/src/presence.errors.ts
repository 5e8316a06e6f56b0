import { RoostError, show } from '@roost/redis';

/** Thrown for a room, user or device whose name cannot be one. HTTP 400. */
export class InvalidPresenceNameError extends RoostError {
  static override readonly code: string = 'presence.invalid-name';
  override readonly httpStatus: number = 400;

  constructor(what: string, value: unknown, expected: string) {
    super(`Expected ${what} to be ${expected}, got ${show(value)}.`);
  }
}

/** Thrown when what a device says of itself is no JSON, or too long. HTTP 400. */
export class InvalidPresenceMetaError extends RoostError {
  static override readonly code: string = 'presence.invalid-meta';
  override readonly httpStatus: number = 400;
}

/** Told to a client whose event is not what it should be. */
export class InvalidEventError extends RoostError {
  static override readonly code: string = 'presence.invalid-event';
  override readonly httpStatus: number = 400;
}

/** Told to a client whom nobody knows, or whose right to be connected has ended. */
export class NotAuthenticatedError extends RoostError {
  static override readonly code: string = 'presence.not-authenticated';
  override readonly httpStatus: number = 401;
}

/** Told to a client of a page from elsewhere. */
export class ForeignOriginError extends RoostError {
  static override readonly code: string = 'presence.foreign-origin';
  override readonly httpStatus: number = 403;
}

/** Told to a client that may not be in a room. */
export class RoomForbiddenError extends RoostError {
  static override readonly code: string = 'presence.room-forbidden';
  override readonly httpStatus: number = 403;
}

/** Told to a client that speaks in a room that it has not joined. */
export class NotInRoomError extends RoostError {
  static override readonly code: string = 'presence.not-in-room';
  override readonly httpStatus: number = 409;
}

/** Told to a client that is in as many rooms as one may be in. */
export class TooManyRoomsError extends RoostError {
  static override readonly code: string = 'presence.too-many-rooms';
  override readonly httpStatus: number = 409;
}

/** Told to a client that says more than the application's `limit` allows. */
export class TooManyEventsError extends RoostError {
  static override readonly code: string = 'presence.too-many-events';
  override readonly httpStatus: number = 429;
}
