import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/** A RESULTS.md: one section for each name, with what it is about. */
export class Results<Name extends string> {
  readonly #file: string;

  constructor(
    /** The folder of the run. */
    folder: string,
    private readonly about: Readonly<Record<Name, string>>,
  ) {
    // The built file lies one folder deeper than its source.
    this.#file = fileURLToPath(new URL(`../${folder}/RESULTS.md`, import.meta.url));
  }

  /** Replaces one section by what the command has just found. */
  save(name: Name, command: string, table: string): void {
    const circumstances = `\`${command.trim()}\` on ${new Date().toISOString().slice(0, 10)}; ${availableParallelism()} cores, Node ${process.versions.node}.`;
    const section = `## ${name}\n\n${this.about[name]}\n\n${circumstances}\n\n${table}\n`;
    const sections = new Map(this.#read().map((text) => [/^## (\w+)/.exec(text)?.[1] ?? '', text]));
    sections.set(name, section);
    const ordered = Object.keys(this.about).flatMap((each) => sections.get(each)?.trimEnd() ?? []);
    writeFileSync(this.#file, `${['# Results', ...ordered].join('\n\n')}\n`);
  }

  #read(): string[] {
    try {
      return readFileSync(this.#file, 'utf8')
        .split(/^(?=## )/m)
        .slice(1);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // the first time
      throw error;
    }
  }
}

/** A table of Markdown as prettier writes it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** How many there are of each name. */
export function countBy<T>(all: readonly T[], nameOf: (each: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const each of all) counts[nameOf(each)] = (counts[nameOf(each)] ?? 0) + 1;
  return counts;
}

/** Such counts in a line. */
export function listed(counts: Readonly<Record<string, number>>, between = ' '): string {
  return Object.entries(counts)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name}${between}${count}`)
    .join(', ');
}

/** How many there are in all. */
export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
