import { eventually, ServiceProcess, type ProcessExit } from '@roost/testing';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

const entry = 'dist/main.js';
const inMemory = { ROOST_BACKEND: 'memory', DATABASE_URL: 'memory:', CATALOGUE_WARM_UP: 'false' };

async function run(env: Record<string, string>): Promise<ProcessExit & { readonly output: string }> {
  const service = await ServiceProcess.start({ entry, env: { ...inMemory, ...env }, readyUrl: false });
  return { ...(await service.exited), output: service.output };
}

describe('the built service', () => {
  let running: ServiceProcess | undefined;

  afterEach(() => running?.stop(0));

  beforeAll(() => {
    if (!existsSync(entry)) throw new Error(`${entry} is missing: run \`npm run build\` first.`);
  });

  it('names all problems of its environment, no secret, no stack, and exits with 1', async () => {
    const env = { PORT: 'http', REDIS_URL: 'hunter2', ROOST_BACKEND: 'disk', ROOST_ADMIN_TOKEN: 'hunter2 hunter2' };
    const { code, output } = await run(env);
    expect(code).toBe(1);
    expect(output.trimEnd().split('\n')).toEqual([
      'The service cannot start: 4 wrong in the environment (see .env.example).',
      '  - PORT: expected it to be a port from 0 to 65535, got `http`',
      '  - REDIS_URL: expected it to be a URL that begins with redis:// or rediss://, got a value that is not shown',
      '  - ROOST_BACKEND: expected it to be `auto`, `redis` or `memory`, got `disk`',
      '  - ROOST_ADMIN_TOKEN: expected it to be printable characters without spaces, as a header can hold, got a value that is not shown [config.invalid]',
    ]);
  });

  it('says in one message that a required Redis is missing, and exits with 1', async () => {
    const env = { NODE_ENV: 'production', ROOST_BACKEND: 'redis', REDIS_URL: 'redis://:hunter2@127.0.0.1:1' };
    const { code, signal, output } = await run(env);
    expect([code, signal]).toEqual([1, null]);
    expect(output.match(/Redis is required/g)).toHaveLength(1);
    expect(output.trimEnd().split('\n').at(-1)).toMatch(/Redis is required.*ECONNREFUSED.*auto.*\[redis\.required\]/);
    expect(output).not.toMatch(/hunter2|at .*\.js:\d+|"level":"error"/);
  });

  it('says that the port is taken, without a stack, and exits with 1', async () => {
    const taken = await new Promise<Server>((resolve) => {
      const server = createServer().listen(0, '0.0.0.0', () => resolve(server));
    });
    const { port } = taken.address() as { port: number };
    const { code, output } = await run({ PORT: String(port) });
    taken.close();
    expect(code).toBe(1);
    expect(output).toContain('EADDRINUSE');
    expect(output).not.toContain('    at ');
  });

  it('logs JSON lines in production, one for each request, with its fields at the top', async () => {
    const env = {
      NODE_ENV: 'production',
      ...inMemory,
      ROOST_DRAIN_MS: '0',
      ROOST_ADMIN_TOKEN: 'hunter2-hunter2-hunter2',
    };
    const service = (running = await ServiceProcess.start({ entry, env, readyUrl: '/startupz' }));
    await service.fetch('/api/quotes?carId=car-1&token=hunter2', {
      headers: { 'x-request-id': 'trace-7', 'x-api-key': 'free-hunter2', authorization: 'Bearer hunter2' },
    });
    const line = await service.waitForLog(({ request_id }) => request_id === 'trace-7');
    expect(line).toMatchObject({
      level: 'log',
      message: 'request',
      method: 'GET',
      path: '/api/quotes',
      status: 200,
      duration_ms: expect.any(Number),
      rl_backend: 'memory',
      rate_limit_state: 'allow',
    });
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.logs.filter(({ request_id }) => request_id === 'trace-7')).toHaveLength(1);
    expect(service.lines.filter((each) => !each.startsWith('{'))).toEqual([]);
    expect(service.output).not.toContain('hunter2');
  });

  it('says shutting_down from SIGTERM on, answers while it drains, and ends with 0', async () => {
    const env = { ...inMemory, ROOST_DRAIN_MS: '400' };
    const service = (running = await ServiceProcess.start({ entry, env }));
    service.signal('SIGTERM');
    const statuses = [];
    for (let status = 200; status === 200;) statuses.push((status = (await service.fetch('/readyz')).status));
    expect(statuses.at(-1)).toBe(503);
    expect(((await (await service.fetch('/readyz')).json()) as { status: string }).status).toBe('shutting_down');
    expect((await service.fetch('/api/quotes?carId=car-1')).status).toBe(200);
    expect((await service.fetch('/livez')).status).toBe(200);
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  it('finishes a request that is in flight when the server closes', async () => {
    const env = { ...inMemory, ROOST_DRAIN_MS: '50' };
    const service = (running = await ServiceProcess.start({ entry, env }));
    const body = '{"userId":"ann"}';
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1').setEncoding('utf8');
    const type = 'Content-Type: application/json';
    socket.write(`POST /accounts/codes HTTP/1.1\r\nHost: x\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n{`);
    await service.fetch('/livez'); // sent later, answered: the first request has arrived
    service.signal('SIGTERM');
    const closed = async () =>
      service.fetch('/livez').then(
        () => false,
        () => true,
      );
    await eventually(closed, { within: 5_000 });
    const answer = new Promise<string>((resolve) => socket.once('data', resolve));
    socket.write(body.slice(1));
    expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });

  it('ends at once on a second SIGTERM', async () => {
    const env = { ...inMemory, ROOST_DRAIN_MS: '60000' };
    const service = (running = await ServiceProcess.start({ entry, env }));
    service.signal('SIGTERM');
    while ((await service.fetch('/readyz')).status === 200);
    service.signal('SIGTERM');
    expect(await service.exited).toEqual({ code: 143, signal: null });
  });
});
