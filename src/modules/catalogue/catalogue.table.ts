import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import type { Migration } from '../../common/database/index.js';

/** The cars that are for hire. */
export const cars = pgTable('cars', {
  id: text('id').primaryKey(),
  city: text('city').notNull(),
  pricePerDay: integer('price_per_day').notNull(),
});

/** The table, and the fleet that it begins with; `fleet.ts` has the same, and a spec compares them. */
export const catalogueMigrations: readonly Migration[] = [
  {
    name: 'catalogue-1',
    sql: `
      CREATE TABLE cars (
        id text PRIMARY KEY,
        city text NOT NULL,
        price_per_day integer NOT NULL,
        CONSTRAINT cars_price CHECK (price_per_day > 0)
      );
      CREATE INDEX cars_city ON cars (city);
      INSERT INTO cars (id, city, price_per_day) VALUES
        ('car-1', 'Lisbon', 39), ('car-2', 'Lisbon', 45), ('car-3', 'Lisbon', 52), ('car-4', 'Lisbon', 89),
        ('car-5', 'Vienna', 42), ('car-6', 'Vienna', 49), ('car-7', 'Vienna', 64), ('car-8', 'Vienna', 110),
        ('car-9', 'Oslo', 58), ('car-10', 'Oslo', 66), ('car-11', 'Oslo', 79), ('car-12', 'Oslo', 135);`,
  },
];
