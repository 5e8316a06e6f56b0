import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLock } from './folder-lock.js';

describe('the lock of a folder', () => {
  let folder: string;
  let path: string;
  const taken: FolderLock[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roost-folder-'));
    path = join(folder, 'postgres.lock');
  });
  afterEach(async () => {
    await Promise.all(taken.splice(0).map((lock) => lock.release()));
    await rm(folder, { recursive: true });
  });

  async function take(): Promise<string | undefined> {
    const lock = new FolderLock(path);
    const owner = await lock.take();
    if (owner === undefined) taken.push(lock);
    return owner;
  }

  it('is had by one alone, who is named, until it is given back', async () => {
    expect(await take()).toBeUndefined();
    expect(await take()).toBe(`${process.pid}@${hostname()}`);
    await taken.pop()!.release();
    expect(await readdir(folder)).toEqual([]);
    expect(await take()).toBeUndefined();
  });

  it('has one winner among many at once, also when all find it stale', async () => {
    for (const stale of [false, true]) {
      if (stale) await writeFile(path, await ofDeadProcess());
      const owners = await Promise.all(Array.from({ length: 20 }, take));
      expect(owners.filter((owner) => owner === undefined)).toHaveLength(1);
      await taken.pop()!.release();
    }
  });

  it('is taken over from a process that crashed', async () => {
    await writeFile(path, await ofDeadProcess());
    expect(await take()).toBeUndefined();
  });

  it('is taken over when another process has the pid now, as the first one of every container', async () => {
    await writeFile(path, JSON.stringify({ token: 't', pid: process.pid, host: hostname(), began: '1' }));
    expect(await take()).toBeUndefined();
  });

  it('is left to a process of another machine that gives signs of life, and taken over when it stopped to', async () => {
    await writeFile(path, JSON.stringify({ token: 't', pid: 1, host: 'elsewhere', began: '1' }));
    expect(await take()).toBe('1@elsewhere');
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(path, longAgo, longAgo);
    expect(await take()).toBeUndefined();
  });

  it('does not remove what somebody else has taken since', async () => {
    expect(await take()).toBeUndefined();
    await writeFile(path, JSON.stringify({ token: 'another', pid: 1, host: 'elsewhere', began: '1' }));
    await taken.pop()!.release();
    expect(JSON.parse(await readFile(path, 'utf8')).token).toBe('another');
  });

  /** What a process of this machine would have left. */
  async function ofDeadProcess(): Promise<string> {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    return JSON.stringify({ token: 't', pid: child.pid, host: hostname(), began: '1' });
  }
});
