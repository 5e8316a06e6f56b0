import { Injectable } from '@nestjs/common';
import { Outbox } from '@roost/queue';
import { LockService, StaleFenceError, lockKey } from '@roost/lock';
import { randomUUID } from 'node:crypto';
import { Database } from '../../common/database/index.js';
import { InvalidRequestError } from '../../common/errors/index.js';
import { CARS } from '../catalogue/index.js';
import { EMAILS, type Confirmation } from '../emails/index.js';
import { CarUnknownError } from '../quotes/index.js';
import { BookingTakenError, BookingUnknownError } from './bookings.errors.js';
import { BookingsRepository } from './bookings.repository.js';
import type { Booking, BookingMade, BookingRequest } from './bookings.schemas.js';

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

const DAY_MS = 86_400_000;

/** Who has which car, and when. */
@Injectable()
export class BookingsService {
  constructor(
    private readonly locks: LockService,
    private readonly database: Database,
    private readonly bookings: BookingsRepository,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Books a car, one caller after the other.
   * @throws BookingTakenError, InvalidRequestError, and LockBusyError when others took too long
   */
  async book(request: BookingRequest): Promise<BookingMade> {
    if (!isKnown(request.carId)) throw new InvalidRequestError([{ path: 'carId', message: 'There is no such car' }]);
    // Nobody gives a day back, so whoever finds it taken need not stand in line for the car.
    if (await this.bookings.isTaken(this.database.db, request)) throw new BookingTakenError();
    try {
      return await this.#bookAlone(request);
    } catch (error) {
      // Somebody was served without Redis meanwhile. The refusal has told the lock so: its next token is newer.
      if (error instanceof StaleFenceError) return this.#bookAlone(request);
      throw error;
    }
  }

  /** @throws BookingUnknownError */
  async find(id: string): Promise<Booking> {
    const booking = UUID.test(id) ? await this.bookings.find(id) : undefined;
    if (!booking) throw new BookingUnknownError();
    return booking;
  }

  /** @throws CarUnknownError */
  async ofCar(carId: string): Promise<Booking[]> {
    if (!isKnown(carId)) throw new CarUnknownError();
    return this.bookings.ofCar(carId);
  }

  /**
   * Those that were made on a day of UTC, in that order.
   * @param day as YYYY-MM-DD
   */
  madeOn(day: string): Promise<Booking[]> {
    const from = new Date(`${day}T00:00:00Z`);
    return this.bookings.madeBetween(from, new Date(from.getTime() + DAY_MS));
  }

  /**
   * The lock is per car and not per range of days, since ranges that differ may overlap. It keeps callers from meeting in
   * the database; that two of them never sell the same day is what the fence and the constraint are for. The e-mail is
   * written if and only if the booking is committed.
   */
  #bookAlone({ email, ...days }: BookingRequest): Promise<BookingMade> {
    const booking = { ...days, id: randomUUID() };
    return this.locks.using(lockKey('car', booking.carId), { ttl: '10s', wait: '5s' }, (lock) =>
      lock.transaction(this.database.db, async (tx) => {
        await this.bookings.add(tx, booking);
        const { id: bookingId, ...booked } = booking;
        const confirmation: Confirmation = { bookingId, ...booked, ...(email !== undefined && { email }) };
        const job = await this.outbox.add(tx, EMAILS, 'confirm', confirmation);
        return { id: bookingId, jobId: job.id };
      }),
    );
  }
}

function isKnown(carId: string): boolean {
  return CARS.some(({ id }) => id === carId);
}
