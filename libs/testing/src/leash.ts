import { type ChildProcess, spawn } from 'node:child_process';

/** Remembers the pid it was told last; at the end of its input, kills it and removes the directory. */
const GUARD = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; [ -z "$1" ] || rm -rf -- "$1"';

/**
 * Ends a child of ours, and removes its directory, when this process dies: however it dies.
 * A shell waits on a pipe that only we hold. An `exit` listener would not do: Jest gives tests a copy of `process`
 * whose listeners are never called, and nobody is asked before SIGKILL.
 */
export class Leash {
  readonly #guard: ChildProcess;

  constructor(dir = '') {
    this.#guard = spawn('/bin/sh', ['-c', GUARD, 'leash', dir], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // its own session: Ctrl-C in a terminal must not end the guard before the guarded
    });
    this.#guard.unref();
    this.#guard.stdin?.on('error', () => {}); // it was cut before it read that its child had ended
    (this.#guard.stdin as unknown as { unref(): void }).unref();
  }

  /** Takes a child on the leash until it ends, so that a later owner of its pid is safe. */
  hold(child: ChildProcess): void {
    this.#guard.stdin?.write(`${child.pid}\n`);
    child.once('exit', () => this.#guard.stdin?.write('\n'));
  }

  /** Lets go: neither the child nor the directory is looked after any more. */
  cut(): void {
    this.#guard.kill('SIGKILL');
  }
}
