import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFile } from '@swc/core';
import { eventually } from './eventually.js';
import { leash } from './leash.js';

/** A process that keeps a frozen child and a directory on a leash, and says so; its output ends when both have ended. */
const OWNER = `
  const { spawn } = require('node:child_process');
  const { leash } = require('./leash.cjs');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: ['ignore', 'inherit', 'ignore'] });
  child.kill('SIGSTOP');
  leash(child.pid, process.argv[2]);
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

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('ends the child and its directory after %s', async (signal) => {
    const childDir = await mkdtemp(join(dir, 'child-'));
    const owner = spawn(process.execPath, [join(dir, 'owner.cjs'), childDir], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(owner.stdout, 'data');
    expect(existsSync(childDir)).toBe(true);
    owner.kill(signal);
    await once(owner.stdout, 'close');
    await eventually(() => !existsSync(childDir), { within: 2_000 });
  });

  it('lets go when told so', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const letGo = leash(child.pid ?? 0);
    letGo();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(hasEnded(child)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
