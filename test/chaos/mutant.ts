import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One piece of a built lib, and what stands there instead. */
export interface Edit {
  /** Below `dist` of the lib, or of the service. */
  readonly file: string;
  /** Has to be there exactly once: else the mutant is not what it says. */
  readonly find: string;
  readonly put: string;
  /** Whether the file is one of the service, which has to be copied then. @default false */
  readonly ofService?: boolean;
}

/** What is copied and edited. */
export interface MutantParts {
  readonly lib: 'cache' | 'lock' | 'presence' | 'queue';
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Whether the service and the worker are copied as well, so that they run with the copy of the lib. @default false */
  readonly service?: boolean;
  /** The project, where this does not run from its built files. @default found from them */
  readonly project?: string;
}

/**
 * Copies the built runs and the built lib beside each other, edits the copies, and returns the folder of the runs; the
 * service, if it was copied, is in the folder above. Below the project's `node_modules` the copies find every other package
 * where it is.
 * @throws when a text to be replaced is not there exactly once.
 */
export function makeMutant({ lib, name, edits, service = false, project = found() }: MutantParts): string {
  const root = join(project, 'node_modules/.cache/roost-mutants', lib, name);
  const copy = join(root, 'node_modules/@roost', lib);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }\n');
  cpSync(join(project, 'libs', lib, 'package.json'), join(copy, 'package.json'));
  cpSync(join(project, 'libs', lib, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(project, 'test/chaos/dist'), join(root, 'chaos'), { recursive: true });
  for (const dist of service ? ['dist', 'apps/worker/dist'] : []) {
    cpSync(join(project, dist), join(root, dist), { recursive: true });
  }
  for (const { file, find, put, ofService = false } of edits) {
    const path = join(ofService ? root : copy, 'dist', file);
    const parts = readFileSync(path, 'utf8').split(find);
    if (parts.length !== 2) {
      const place = `${ofService ? '' : `libs/${lib}/`}dist/${file}`;
      throw new Error(`Mutant ${name}: expected once in ${place}, found ${parts.length - 1} times: ${find}`);
    }
    writeFileSync(path, parts.join(put));
  }
  return join(root, 'chaos');
}

/** The built file lies in test/chaos/dist. */
function found(): string {
  return fileURLToPath(new URL('../../../', import.meta.url));
}
