import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, pathDirs } from './programs.js';

const DEBIAN_ROOT = '/usr/lib/postgresql';

/** Who a server runs as. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Finds a program of PostgreSQL: on PATH, or where Debian keeps the versions side by side, the newest first.
 * @throws Error that says what to install.
 */
export function findPostgres(program: string, path = process.env['PATH'] ?? '', debianRoot = DEBIAN_ROOT): string {
  const found = findProgram([program], [...pathDirs(path), ...debianDirs(debianRoot)]);
  if (found !== undefined) return found;
  throw new Error(`${program} not found on PATH or in ${debianRoot}/*/bin. Install it: apt-get install postgresql`);
}

/** PostgreSQL refuses to run as root: root starts it as the user `postgres`, which its package creates. */
export function postgresUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  if (!entry) throw new Error('PostgreSQL does not run as root, and there is no user `postgres` to run it as.');
  return { uid: Number(entry[1]), gid: Number(entry[2]) };
}

/** The processes that a process has started. */
export function childrenOf(parent: number): number[] {
  return processes().flatMap(([pid, ppid]) => (ppid === parent ? [pid] : []));
}

/** Signals a process that may have ended by itself. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function processes(): [pid: number, parent: number][] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => parentOf(name).map((ppid): [number, number] => [Number(name), ppid]));
  } catch {
    // No /proc, as on macOS.
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).matchAll(/(\d+) +(\d+)/g);
    return Array.from(lines, ([, pid, ppid]) => [Number(pid), Number(ppid)]);
  }
}

/** Nothing when it ended meanwhile. */
function parentOf(pid: string): number[] {
  try {
    // `pid (name) state ppid …`, where the name may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return [Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])];
  } catch {
    return [];
  }
}

function debianDirs(root: string): string[] {
  try {
    return readdirSync(root)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}
