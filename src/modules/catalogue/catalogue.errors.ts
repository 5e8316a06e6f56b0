import { RoostError } from '@roost/redis';

/** Thrown when the catalogue has no car with the id. HTTP 404. */
export class CarNotListedError extends RoostError {
  static override readonly code: string = 'catalogue.car-unknown';
  override readonly httpStatus: number = 404;

  constructor() {
    super('The catalogue has no such car.');
  }
}
