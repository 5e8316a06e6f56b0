import { date, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { Migration } from '../../common/database/index.js';

/** Who has which car on which days; `to` is the day on which it is back. */
export const bookings = pgTable('bookings', {
  id: uuid('id').primaryKey(),
  carId: text('car_id').notNull(),
  from: date('from_day', { mode: 'string' }).notNull(),
  to: date('to_day', { mode: 'string' }).notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

/** Two bookings of one car share no day: the database sees to it, whoever writes. */
export const bookingsMigrations: readonly Migration[] = [
  {
    name: 'bookings-1',
    sql: `
      CREATE EXTENSION IF NOT EXISTS btree_gist;
      CREATE TABLE bookings (
        id uuid PRIMARY KEY,
        car_id text NOT NULL,
        from_day date NOT NULL,
        to_day date NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT bookings_days CHECK (from_day < to_day),
        CONSTRAINT bookings_no_overlap EXCLUDE USING gist (car_id WITH =, daterange(from_day, to_day) WITH &&)
      );`,
  },
];
