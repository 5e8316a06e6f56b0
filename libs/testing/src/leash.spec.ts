import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFile } from '@swc/core';
import { eventually } from './eventually.js';
import { Leash } from './leash.js';

/** A process that keeps a frozen child and a directory on a leash, and says so; its output ends when both have ended. */
const OWNER = `
  const { spawn } = require('node:child_process');
  const { Leash } = require('./leash.cjs');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: ['ignore', 'inherit', 'ignore'] });
  child.kill('SIGSTOP');
  new Leash(process.argv[2]).hold(child);
  console.log('leashed');
`;

describe('leash', () => {
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roost-leash-'));
    const { code } = await transformFile(join(__dirname, 'leash.ts'), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    await writeFile(join(dir, 'leash.cjs'), code);
    await writeFile(join(dir, 'owner.cjs'), OWNER);
  });

  afterAll(() => rm(dir, { recursive: true }));

  it.each([
    ['SIGKILL', 1],
    ['SIGTERM', 1],
    ['SIGINT', -1], // to the whole process group, as Ctrl-C sends it
  ] as const)('ends the child and its directory after %s', async (signal, group) => {
    const childDir = await mkdtemp(join(dir, 'child-'));
    const owner = spawn(process.execPath, [join(dir, 'owner.cjs'), childDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    await once(owner.stdout, 'data');
    expect(existsSync(childDir)).toBe(true);
    process.kill(group * (owner.pid ?? NaN), signal);
    await once(owner.stdout, 'close');
    await eventually(() => !existsSync(childDir), { within: 2_000 });
  });

  it('removes the directory when no child is left to end', async () => {
    const childDir = await mkdtemp(join(dir, 'child-'));
    const owner = `const { Leash } = require('./leash.cjs'); new Leash(process.argv[2]);`;
    await writeFile(join(dir, 'brief.cjs'), owner);
    spawn(process.execPath, [join(dir, 'brief.cjs'), childDir], { stdio: 'ignore' });
    await eventually(() => !existsSync(childDir), { within: 2_000 });
  });

  it('lets go when told so', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const leash = new Leash();
    leash.hold(child);
    leash.cut();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(hasEnded(child)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
