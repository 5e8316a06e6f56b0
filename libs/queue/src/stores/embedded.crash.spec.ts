import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openPool } from '../database/queue-database.js';
import { EmbeddedStoreLockedError } from '../queue.errors.js';
import { EmbeddedQueueStore } from './embedded.store.js';
import { Bench } from './bullmq.testbed.js';

const JOBS = 1_200;

describe('a process with an embedded store', () => {
  const bench = new Bench();
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'roost-embedded-'))));
  afterEach(async () => {
    await bench.close();
    await rm(folder, { recursive: true, force: true });
  });

  it(`case 46: has all ${JOBS} jobs after it was killed, and has them alone until then`, async () => {
    const child = spawn(process.execPath, ['-e', CHILD, folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    child.stderr.on('data', (chunk) => (printed += String(chunk)));
    const ended = once(child, 'exit');
    const [said] = (await Promise.race([once(child.stdout, 'data'), ended])) as [unknown];
    expect([String(said), printed]).toEqual(['added\n', printed]);
    const another = await openPool({ folder });
    await expect(new EmbeddedQueueStore({ pool: another }).open()).rejects.toThrow(EmbeddedStoreLockedError);
    child.kill('SIGKILL');
    await ended;
    const pool = await openPool({ folder });
    bench.closes(() => pool.end());
    const store = await bench.open(new EmbeddedQueueStore({ pool }));
    expect(await bench.queue(store, 'kept').getJobCounts('waiting')).toEqual({ waiting: JOBS });
  }, 30_000);
});

/** The sources as they are, by the compiler of the tests. */
const CHILD = `
const { transformFileSync } = require('@swc/core');
const Module = require('node:module');
const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => {
  const lib = /^@roost\\/(\\w+)$/.exec(name);
  if (lib) return require('node:path').resolve('libs', lib[1], 'src/index.ts');
  try { return resolve(name, ...rest); } catch (error) {
    if (name.startsWith('.')) return resolve(name.replace(/\\.js$/, '.ts'), ...rest);
    throw error;
  }
};
Module._extensions['.ts'] = (module, file) => {
  const jsc = { parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true }, target: 'es2022' };
  const { code } = transformFileSync(file, { jsc, module: { type: 'commonjs', ignoreDynamic: false }, swcrc: false });
  module._compile(code, file);
};
const load = (path) => require(${JSON.stringify(resolve('libs/queue/src'))} + '/' + path);
(async () => {
  const pool = await load('database/queue-database.ts').openPool({ folder: process.argv[1] });
  const store = new (load('stores/embedded.store.ts').EmbeddedQueueStore)({ pool });
  await store.open();
  const queue = new (require('bullmq').Queue)('kept', { connection: {} }, (...args) => store.backendFor(...args));
  await Promise.all(Array.from({ length: ${JOBS} }, (_, n) => queue.add('a', { n })));
  console.log('added');
})();
`;
