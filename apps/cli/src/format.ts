const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes as people say them, in powers of 1000: `1.27 MB`. */
export function bytes(count: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), UNITS.length - 1);
  return `${Number((count / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
}

/** Milliseconds to the precision that matters: `0.31 ms`, `12.4 ms`, `1250 ms`. */
export function ms(value: number): string {
  return `${value < 1 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** A lifetime in its largest whole unit: `30 s`, `5 min`, `24 h`, `7 d`. */
export function lifetime(valueMs: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, size]) => valueMs >= size && valueMs % size === 0) ?? ['ms', 1];
  return `${valueMs / size} ${unit}`;
}

/** A share of one as a percentage: `0.25 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** Rows as aligned columns; the first row is the heading. Numbers of a column stand to the right when `right` lists it. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
