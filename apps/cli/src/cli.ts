import type { Terminal } from './terminal.js';

/** What a command gets from the process it runs in; specs pass their own. */
export interface Cli {
  readonly terminal: Terminal;
  readonly env: NodeJS.ProcessEnv;
  /** From now on Ctrl-C aborts this signal instead of ending the process; the second one ends it. */
  readonly interruption: () => AbortSignal;
}
