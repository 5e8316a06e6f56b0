/** A car as customers see it. */
export interface Car {
  readonly id: string;
  readonly city: string;
  /** In whole euros. */
  readonly pricePerDay: number;
}

/** The fleet that a fresh service starts with, at its list prices: twelve cars in three cities. */
export const CARS: readonly Car[] = [
  { id: 'car-1', city: 'Lisbon', pricePerDay: 39 },
  { id: 'car-2', city: 'Lisbon', pricePerDay: 45 },
  { id: 'car-3', city: 'Lisbon', pricePerDay: 52 },
  { id: 'car-4', city: 'Lisbon', pricePerDay: 89 },
  { id: 'car-5', city: 'Vienna', pricePerDay: 42 },
  { id: 'car-6', city: 'Vienna', pricePerDay: 49 },
  { id: 'car-7', city: 'Vienna', pricePerDay: 64 },
  { id: 'car-8', city: 'Vienna', pricePerDay: 110 },
  { id: 'car-9', city: 'Oslo', pricePerDay: 58 },
  { id: 'car-10', city: 'Oslo', pricePerDay: 66 },
  { id: 'car-11', city: 'Oslo', pricePerDay: 79 },
  { id: 'car-12', city: 'Oslo', pricePerDay: 135 },
];

/** Where cars of the fleet stand. */
export const CITIES: readonly string[] = [...new Set(CARS.map(({ city }) => city))];
