import { RoostError } from '@roost/redis';

/** Thrown when somebody else has the car on one of the days. HTTP 409. */
export class BookingTakenError extends RoostError {
  static override readonly code: string = 'booking.already-taken';
  override readonly httpStatus: number = 409;

  constructor() {
    super('The car is already booked on at least one of these days.');
  }
}

/** Thrown when no booking has the id. HTTP 404. */
export class BookingUnknownError extends RoostError {
  static override readonly code: string = 'booking.unknown';
  override readonly httpStatus: number = 404;

  constructor() {
    super('There is no such booking.');
  }
}
