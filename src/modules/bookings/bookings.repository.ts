import { Injectable } from '@nestjs/common';
import { and, asc, eq, gt, gte, lt } from 'drizzle-orm';
import { Database, sqlStateOf, type Db } from '../../common/database/index.js';
import { BookingTakenError } from './bookings.errors.js';
import { bookings } from './bookings.table.js';
import type { Booking, BookingRequest } from './bookings.schemas.js';

const EXCLUSION_VIOLATION = '23P01';
const columns = { id: bookings.id, carId: bookings.carId, from: bookings.from, to: bookings.to };

/** Where bookings are kept. */
@Injectable()
export class BookingsRepository {
  constructor(private readonly database: Database) {}

  /**
   * Adds a booking to the caller's transaction. The database refuses what overlaps also where this does not see it.
   * @throws BookingTakenError
   */
  async add(tx: Db, booking: Booking): Promise<void> {
    if (await this.isTaken(tx, booking)) throw new BookingTakenError();
    try {
      await tx.insert(bookings).values(booking);
    } catch (error) {
      throw sqlStateOf(error) === EXCLUSION_VIOLATION ? new BookingTakenError() : error;
    }
  }

  /** Whether somebody has the car on one of the days. */
  async isTaken(db: Db, { carId, from, to }: BookingRequest): Promise<boolean> {
    const overlapping = and(eq(bookings.carId, carId), lt(bookings.from, to), gt(bookings.to, from));
    const found = await db.select({ id: bookings.id }).from(bookings).where(overlapping).limit(1);
    return found.length > 0;
  }

  async find(id: string): Promise<Booking | undefined> {
    const [booking] = await this.database.db.select(columns).from(bookings).where(eq(bookings.id, id));
    return booking;
  }

  /** Those of one car, in the order of their days. */
  async ofCar(carId: string): Promise<Booking[]> {
    return this.database.db.select(columns).from(bookings).where(eq(bookings.carId, carId)).orderBy(asc(bookings.from));
  }

  /** Those that were made from one moment to before another, in that order. */
  async madeBetween(from: Date, to: Date): Promise<Booking[]> {
    const made = and(gte(bookings.createdAt, from), lt(bookings.createdAt, to));
    return this.database.db.select(columns).from(bookings).where(made).orderBy(asc(bookings.createdAt));
  }
}
