import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The folders that a PATH names. */
export function pathDirs(path = process.env['PATH'] ?? ''): string[] {
  return path.split(delimiter).filter((dir) => dir !== '');
}

/** The first of these programs that is there, folder by folder; undefined when there is none. */
export function findProgram(names: readonly string[], dirs: readonly string[] = pathDirs()): string | undefined {
  return dirs.flatMap((dir) => names.map((name) => join(dir, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
