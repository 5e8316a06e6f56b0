import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const project = resolve(__dirname, '../..');

/** The text of a file, by its path in the project. */
export const read = (path: string): string => readFileSync(join(project, path), 'utf8');
export const exists = (path: string): boolean => existsSync(join(project, path));
export const readJson = <T>(path: string): T => JSON.parse(read(path)) as T;

/** `libs/redis`, `libs/throttle`, … */
export const libs: readonly string[] = folders('libs').filter((lib) => exists(`${lib}/package.json`));
/** `apps/cli`, … */
export const apps: readonly string[] = folders('apps').filter((app) => exists(`${app}/package.json`));

/** All TypeScript below `folder`, in a stable order. */
export function sources(folder: string): string[] {
  if (!exists(folder)) return [];
  return entries(folder).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return /^(dist|node_modules|coverage)$/.test(entry.name) ? [] : sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Every folder below `folder`, itself not included. */
export function foldersBelow(folder: string): string[] {
  return folders(folder).flatMap((path) => [path, ...foldersBelow(path)]);
}

export const isSpec = (path: string): boolean => path.endsWith('.spec.ts');

/**
 * The code with its comments blanked, line by line, and strings left as they are. Good enough to search what prettier has
 * formatted: a comment begins a line or follows a space, and no string of ours holds a line that begins like one.
 */
export function withoutComments(code: string): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, '');
  return code.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, blank).replace(/(^|[ \t])\/\/.*$/gm, '$1');
}

function folders(folder: string): string[] {
  return exists(folder)
    ? entries(folder).flatMap((entry) => (entry.isDirectory() ? [`${folder}/${entry.name}`] : []))
    : [];
}

function entries(folder: string) {
  return readdirSync(join(project, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}
