import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const project = resolve(__dirname, '../..');

export interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

interface CruiseReport {
  readonly modules: readonly unknown[];
  readonly summary: { readonly violations: readonly { rule: { name: string }; from: string; to: string }[] };
}

/**
 * Runs the project's boundary rules on the house in `directory`.
 * A process of its own: dependency-cruiser is an ES module full of top-level await, which Jest here cannot load.
 */
export async function cruise(directory: string = project): Promise<{ files: number; violations: Violation[] }> {
  const bin = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const rules = join(project, '.dependency-cruiser.mjs');
  const args = [bin, '--config', rules, '--output-type', 'json', 'libs', 'apps', 'src', 'test'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory, maxBuffer: 64 << 20 });
  const { modules, summary } = JSON.parse(stdout) as CruiseReport;
  return {
    files: modules.length,
    violations: summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
  };
}

/** Builds a house of `files` in `directory`, each of `libs` a workspace package like the real ones. */
export async function buildHouse(
  directory: string,
  libs: readonly string[],
  files: Record<string, string>,
): Promise<void> {
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  };
  await write(
    'package.json',
    JSON.stringify({
      name: 'house',
      type: 'module',
      workspaces: ['libs/*', 'apps/*'],
      devDependencies: { forgotten: '*' },
    }),
  );
  for (const lib of libs) {
    const entry = (file: string) => ({ '@roost/source': `./src/${file}.ts` });
    const exports = { '.': entry('index'), './testing': entry('testing') };
    const dependencies = { ioredis: '*', bullmq: '*' };
    await write(
      `libs/${lib}/package.json`,
      JSON.stringify({ name: `@roost/${lib}`, type: 'module', exports, dependencies }),
    );
    await write(`libs/${lib}/src/index.ts`, 'export {};');
    await mkdir(join(directory, 'node_modules/@roost'), { recursive: true });
    await symlink(join(directory, 'libs', lib), join(directory, 'node_modules/@roost', lib));
  }
  for (const name of ['ioredis', 'bullmq', 'forgotten', 'undeclared']) {
    await write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    await write(`node_modules/${name}/index.js`, 'module.exports = {};');
  }
  for (const app of ['cli', 'bench']) {
    await write(`apps/${app}/package.json`, JSON.stringify({ name: `@roost/${app}`, dependencies: { ioredis: '*' } }));
    await write(`apps/${app}/src/main.ts`, 'export {};');
  }
  for (const [path, text] of Object.entries(files)) await write(path, text);
}
