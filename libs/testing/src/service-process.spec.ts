import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePort } from './ports.js';
import { ServiceProcess, type ServiceProcessOptions } from './service-process.js';

const SERVICE = `
  const { createServer } = require('node:http');
  let ready = false;
  setTimeout(() => { ready = true; }, 60);
  const server = createServer((request, response) => {
    if (request.url === '/env') return response.end(JSON.stringify(process.env));
    response.writeHead(ready ? 200 : 503).end();
  });
  server.listen(process.env.PORT, '127.0.0.1', () => {
    console.log(JSON.stringify({ level: 'info', msg: 'listening', args: process.argv.slice(2) }));
    console.error('a plain line');
    console.log('{ not JSON');
  });
  process.on('SIGUSR2', () => console.log(JSON.stringify({ msg: 'signalled' })));
  process.on('SIGTERM', () => {
    if (process.env.STUBBORN) return;
    process.stdout.write(JSON.stringify({ msg: 'bye' }), () => process.exit(3));
  });
`;

describe('ServiceProcess', () => {
  let dir: string;
  const started: ServiceProcess[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'roost-service-'));
    await writeFile(join(dir, 'service.cjs'), SERVICE);
    await writeFile(join(dir, 'broken.cjs'), `console.error('no such module'); process.exitCode = 7;`);
    await writeFile(join(dir, 'mute.cjs'), `console.log('mute', process.pid); setInterval(() => {}, 1000);`);
  });

  afterAll(() => rm(dir, { recursive: true }));

  afterEach(() => Promise.all(started.splice(0).map((service) => service.stop(0))));

  async function start(options: Partial<ServiceProcessOptions> = {}) {
    const service = await ServiceProcess.start({ entry: join(dir, 'service.cjs'), ...options });
    started.push(service);
    return service;
  }

  it('is ready only when its probe says so', async () => {
    const service = await start({ args: ['--flag'] });
    expect((await service.fetch('/readyz')).status).toBe(200);
    expect(service.logs).toContainEqual({ level: 'info', msg: 'listening', args: ['--flag'] });
  });

  it('inherits nothing but PATH and HOME', async () => {
    process.env['REDIS_URL'] = 'redis://of.the.developer';
    const service = await start({ env: { COLOUR: 'blue' } });
    delete process.env['REDIS_URL'];
    const env = (await (await service.fetch('/env')).json()) as Record<string, string>;
    expect(Object.keys(env).toSorted()).toEqual(['COLOUR', 'HOME', 'PATH', 'PORT']);
  });

  it('listens where it is told', async () => {
    const port = String(await freePort());
    expect((await start({ env: { PORT: port } })).url).toBe(`http://127.0.0.1:${port}`);
  });

  it('keeps what it printed as text, as lines and as log entries', async () => {
    const service = await start();
    await eventually(() => service.lines.length === 3, { within: 2_000 });
    expect(service.lines).toEqual(expect.arrayContaining(['a plain line', '{ not JSON']));
    expect(service.logs).toHaveLength(1);
    expect(service.output).toContain('a plain line\n');
  });

  it('waits for a log entry, past or to come', async () => {
    const service = await start();
    const entry = service.waitForLog(({ msg }) => msg === 'signalled');
    service.signal('SIGUSR2');
    expect(await entry).toEqual({ msg: 'signalled' });
    expect(await service.waitForLog(({ msg }) => msg === 'listening', 1)).toMatchObject({ level: 'info' });
  });

  it('shows the output when a log entry does not come', async () => {
    const service = await start();
    await expect(service.waitForLog(() => false, 30)).rejects.toThrow(/within 30 ms[^]*listening/);
    const entry = service.waitForLog(() => false, 60_000);
    service.signal('SIGKILL');
    await expect(entry).rejects.toThrow('before the exit');
  });

  it('ends gracefully, and tells its last words and its code', async () => {
    const service = await start();
    expect(await service.stop()).toEqual({ code: 3, signal: null });
    expect(service.logs.at(-1)).toEqual({ msg: 'bye' }); // without a newline
    expect(service.running).toBe(false);
    expect(await service.stop()).toEqual({ code: 3, signal: null });
  });

  it('kills a service that does not end within the grace, stopped or not', async () => {
    const service = await start({ env: { STUBBORN: '1' } });
    service.signal('SIGSTOP');
    const startedAt = performance.now();
    expect(await service.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(performance.now() - startedAt).toBeGreaterThan(45);
  });

  it('rejects at once with the output when the service ends before it is ready', async () => {
    await expect(start({ entry: join(dir, 'broken.cjs') })).rejects.toThrow(/code 7[^]*no such module/);
  });

  it('rejects at once when the process cannot even be started', async () => {
    await expect(start({ cwd: join(dir, 'nowhere') })).rejects.toThrow(/ended \(code null[^]*ENOENT/);
  });

  it('rejects with the output, and leaves no process, when the service never gets ready', async () => {
    const failed = start({ entry: join(dir, 'mute.cjs'), readyWithinMs: 400 });
    await expect(failed).rejects.toThrow(/not ready at http:.*\/readyz within 400 ms[^]*mute \d+/);
    const pid = Number(/mute (\d+)/.exec(String(await failed.catch((error: unknown) => error)))?.[1]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('does not wait for a process without a probe', async () => {
    const worker = await start({ entry: join(dir, 'mute.cjs'), readyUrl: false });
    await eventually(() => worker.lines.includes(`mute ${worker.pid}`), { within: 5_000 });
  });
});
