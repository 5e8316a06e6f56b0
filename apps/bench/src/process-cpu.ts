import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel has counted for a process, in hundredths of a second; NaN where there is no /proc. */
export function cpuUsOf(pid: number): number {
  const fields = fieldsOf(pid);
  return fields === undefined ? NaN : ticks(fields, 11, 12);
}

/** The same for a process with all its children, those that have ended included. */
export function cpuUsOfFamily(pid: number): number {
  const parent = fieldsOf(pid);
  if (parent === undefined) return NaN;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => fieldsOf(Number(name)))
    .filter((fields) => fields !== undefined && Number(fields[1]) === pid);
  return children.reduce((total, fields) => total + ticks(fields!, 11, 12), ticks(parent, 11, 12, 13, 14));
}

/** `pid (name) state ppid …`, where the name may hold anything; after it, times are fields 11 to 14: own and of ended children. */
function fieldsOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has ended, or there is no /proc
  }
}

function ticks(fields: readonly string[], ...places: readonly number[]): number {
  return places.reduce((total, place) => total + Number(fields[place]), 0) * 10_000;
}
