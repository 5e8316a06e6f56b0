import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

// The built file lies one folder deeper than its source.
const FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

const ABOUT = {
  run: 'Faults of random kinds at random times, by seed. Every row was judged exactly; a violation is a failure.',
  pauses: [
    'Processes are stopped for 1.2 to 3 s while they add to lists outside every transaction, half of the acknowledged',
    'writes to each. Under the same lock the one list is written by whoever comes, the other only by whoever shows no',
    'older token than it has seen: what fencing is for.',
  ].join(' '),
  mutants: [
    'Each mutant breaks one rule of the locks on purpose; the run has to notice, and the same plan of faults has to pass',
    'without the mutation.',
  ].join(' '),
} as const;

export type SectionName = keyof typeof ABOUT;

/** Replaces one section of RESULTS.md by what the command has just found. */
export function saveSection(name: SectionName, command: string, table: string): void {
  const circumstances = `\`${command.trim()}\` on ${new Date().toISOString().slice(0, 10)}; ${availableParallelism()} cores, Node ${process.versions.node}.`;
  const section = `## ${name}\n\n${ABOUT[name]}\n\n${circumstances}\n\n${table}\n`;
  const sections = new Map(read().map((text) => [/^## (\w+)/.exec(text)?.[1] ?? '', text]));
  sections.set(name, section);
  const ordered = Object.keys(ABOUT).flatMap((each) => sections.get(each)?.trimEnd() ?? []);
  writeFileSync(FILE, `${['# Results', ...ordered].join('\n\n')}\n`);
}

function read(): string[] {
  try {
    return readFileSync(FILE, 'utf8')
      .split(/^(?=## )/m)
      .slice(1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // the first time
    throw error;
  }
}
