interface Car {
  readonly plate: string;
  price: number;
  readonly seats: number;
  readonly available: boolean;
}

/** What is cached: one page of a catalogue. */
export interface Item {
  readonly id: number;
  readonly cars: readonly Car[];
  note: string;
}

/** So many values, each as long in JSON as asked for. */
export function itemsOf(count: number, bytes: number): Item[] {
  return Array.from({ length: count }, (_, id) => itemOf(id, bytes));
}

/** As many cars as there is room for, and a note that fills what is left. */
export function itemOf(id: number, bytes: number): Item {
  const cars: Car[] = [];
  let left = bytes - lengthOf({ id, cars, note: '' });
  for (;;) {
    const car = { plate: `B-RS ${1_000 + cars.length}`, price: 49.5 + id, seats: 5, available: id % 2 === 0 };
    const taken = lengthOf(car) + ','.length;
    if (taken > left) break;
    left -= taken;
    cars.push(car);
  }
  return { id, cars, note: 'x'.repeat(left + 1) }; // the first car has no comma before it
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value).length;
}
