import type { Cli } from './cli.js';
import { run } from './program.js';

/** What a command line said and how it ended. */
export interface Recording {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  /** Everything, in one text. */
  readonly all: string;
}

/** Runs a command line as specs do: nothing is printed, everything is kept. */
export async function record(
  args: readonly string[],
  cli: Partial<Cli> & { isTTY?: boolean } = {},
): Promise<Recording> {
  const lines: string[] = [];
  const errors: string[] = [];
  const code = await run(args, {
    terminal: {
      isTTY: cli.isTTY ?? false,
      line: (text = '') => void lines.push(text),
      error: (text) => void errors.push(text),
      progress: (text) => void lines.push(text),
    },
    env: cli.env ?? {},
    interruption: cli.interruption ?? (() => new AbortController().signal),
  });
  return { code, lines, errors, all: [...lines, ...errors].join('\n') };
}
