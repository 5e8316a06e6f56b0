import { run } from './program.js';
import { terminalOf } from './terminal.js';

async function main(): Promise<void> {
  const code = await run(process.argv.slice(2), {
    terminal: terminalOf(process.stdout, process.stderr),
    env: process.env,
    interruption() {
      const controller = new AbortController();
      process.once('SIGINT', () => controller.abort());
      return controller.signal;
    },
  });
  // A name server that does not answer keeps its thread for up to half a minute; what was said is said.
  process.stdout.write('', () => process.exit(code));
}

void main();
