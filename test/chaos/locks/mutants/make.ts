import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Edit } from './mutant.js';

const PROJECT = fileURLToPath(new URL('../../../../../', import.meta.url));
const CACHE = join(PROJECT, 'node_modules/.cache/roost-mutants');

/**
 * Copies the built worker and the built lib beside each other, edits the copy of the lib, and returns the worker to start.
 * Below the project's `node_modules` the copies find every other package where it is.
 * @throws when a text to be replaced is not there exactly once.
 */
export function makeMutant(name: string, edits: readonly Edit[]): string {
  const root = join(CACHE, name);
  const lib = join(root, 'node_modules/@roost/lock');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(lib, { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }\n');
  cpSync(join(PROJECT, 'libs/lock/package.json'), join(lib, 'package.json'));
  cpSync(join(PROJECT, 'libs/lock/dist'), join(lib, 'dist'), { recursive: true });
  cpSync(join(PROJECT, 'test/chaos/locks/dist'), join(root, 'chaos'), { recursive: true });
  for (const { file, find, put } of edits) {
    const path = join(lib, 'dist', file);
    const parts = readFileSync(path, 'utf8').split(find);
    if (parts.length !== 2) {
      throw new Error(
        `Mutant ${name}: expected once in libs/lock/dist/${file}, found ${parts.length - 1} times: ${find}`,
      );
    }
    writeFileSync(path, parts.join(put));
  }
  return join(root, 'chaos/worker/main.js');
}
