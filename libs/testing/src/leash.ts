import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Ends a child of ours, and removes its directory, when this process dies: however it dies.
 * A shell waits on a pipe that only we hold. An `exit` listener would not do: Jest gives tests a copy of `process`
 * whose listeners are never called, and nobody is asked before SIGKILL.
 * @returns call it when the child has ended, so that a later owner of its pid is safe.
 */
export function leash(pid: number, dir?: string): () => void {
  const script = `read -r _; kill -9 ${pid}${dir === undefined ? '' : '; rm -rf -- "$1"'}`;
  const guard = spawn('/bin/sh', ['-c', script, 'leash', dir ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // its own session: Ctrl-C in a terminal must not end the guard before the guarded
  });
  guard.unref();
  (guard.stdin as Socket).unref();
  return () => void guard.kill('SIGKILL');
}
