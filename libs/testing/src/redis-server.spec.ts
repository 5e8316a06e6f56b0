import { existsSync } from 'node:fs';
import { RedisServer } from './redis-server.js';
import type { RedisServerOptions } from './redis-server.options.js';
import { makeCertificates } from './tls.js';

describe('RedisServer', () => {
  const started: RedisServer[] = [];

  async function start(options?: RedisServerOptions) {
    const server = await RedisServer.start(options);
    started.push(server);
    return server;
  }

  afterEach(() => Promise.all(started.splice(0).map((server) => server.stop())));

  it('answers as soon as it is started, under its own pid', async () => {
    const server = await start();
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await server.command('INFO', 'server')).toContain(`process_id:${server.pid}\r\n`);
  });

  it('gives several tests a server each at the same time', async () => {
    const servers = await Promise.all([start(), start(), start()]);
    expect(new Set(servers.map(({ port }) => port)).size).toBe(3);
  });

  it('reads every kind of reply and rejects with error replies', async () => {
    const server = await start();
    await server.command('RPUSH', 'list', 'ä', '', 3);
    expect(await server.command('LRANGE', 'list', 0, -1)).toEqual(['ä', '', '3']);
    expect(await server.command('GET', 'nothing')).toBeNull();
    expect(await server.command('EVAL', 'return {1, {"two", false}, {}}', 0)).toEqual([1, ['two', null], []]);
    await expect(server.command('GET', 'list')).rejects.toThrow('WRONGTYPE');
    expect(await server.keys('l*')).toEqual(['list']);
  });

  it('reads a reply that comes in many pieces', async () => {
    const server = await start();
    await server.command('SET', 'large', 'ö'.repeat(500_000));
    expect(await server.command('GET', 'large')).toBe('ö'.repeat(500_000));
  });

  it('counts executions, refusals and failures where they happen', async () => {
    const server = await start();
    await server.command('INCR', 'n');
    await server.command('INCR', 'n');
    await expect(server.command('INCR')).rejects.toThrow('wrong number of arguments');
    expect((await server.commandStats())['incr']).toEqual({ calls: 2, rejectedCalls: 1, failedCalls: 0 });
    expect((await server.commandStats())['get']).toBeUndefined();
  });

  it('hangs while frozen and answers once thawed', async () => {
    const server = await start();
    server.freeze();
    let answered = false;
    const pong = server.command('PING').finally(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    server.thaw();
    expect(await pong).toBe('PONG');
  });

  it('comes back empty on the same port after a kill', async () => {
    const server = await start();
    const { pid, port } = server;
    await server.command('SET', 'a', 1);
    await server.kill();
    expect(server.running).toBe(false);
    await expect(server.command('PING')).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.keys()).toEqual([]);
  });

  it('keeps its data over a restart when told so', async () => {
    const server = await start({ appendonly: true });
    await server.command('SET', 'a', 1);
    server.freeze();
    await server.restart();
    expect(await server.command('GET', 'a')).toBe('1');
  });

  it('is back from a restart only when all its data is loaded', async () => {
    const server = await start({ appendonly: true, args: ['--key-load-delay', '20'] });
    await server.command('EVAL', "for i = 1, 3000 do redis.call('SET', i, i) end", 0);
    await server.restart();
    expect(await server.command('DBSIZE')).toBe(3000);
  });

  it('can be stopped while frozen, twice, and leaves nothing behind', async () => {
    const server = await start();
    server.freeze();
    await Promise.all([server.stop(), server.stop()]);
    expect(server.running).toBe(false);
    expect(existsSync(server.dir)).toBe(false);
    expect(() => server.freeze()).toThrow('not running');
    await expect(server.restart()).rejects.toThrow('was stopped');
  });

  it('asks for a password and ACL users, and can itself not be locked out', async () => {
    const server = await start({ password: 'a b@c', aclUsers: ['reader on >pw ~* +get', 'nobody off'] });
    expect(server.url).toBe(`redis://:a%20b%40c@127.0.0.1:${server.port}`);
    expect(await server.command('ACL', 'USERS')).toEqual(expect.arrayContaining(['reader', 'nobody']));
    await server.command('CONFIG', 'SET', 'requirepass', 'rotated');
    await server.command('ACL', 'SETUSER', 'default', '-@all');
    expect(await server.command('PING')).toBe('PONG');
  });

  it('speaks TLS with a throw-away certificate', async () => {
    const certificates = await makeCertificates();
    const server = await start({ tls: certificates });
    expect(server.url).toBe(`rediss://127.0.0.1:${server.port}`);
    expect(await server.command('PING')).toBe('PONG');
    await certificates.remove();
  });

  it('passes further configuration on', async () => {
    const server = await start({ args: ['--maxmemory', '3mb', '--maxclients', '50'] });
    expect(await server.command('CONFIG', 'GET', 'max*')).toEqual(
      expect.arrayContaining(['maxmemory', '3145728', '50']),
    );
  });

  it('shows every command it receives', async () => {
    const server = await start();
    const monitor = await server.monitor();
    await server.command('SET', 'watched', 1);
    await monitor.caughtUp();
    expect(monitor.lines.map((line) => line.replace(/^.*?\] /, ''))).toEqual(['"SET" "watched" "1"']);
    monitor.stop();
  });

  it('says why it did not start', async () => {
    await expect(start({ args: ['--maxmemory', 'lots'] })).rejects.toThrow(/ended at start[^]*maxmemory/);
  });

  it('does not take another server on the port for its own', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow('Address already in use');
  });

  it('names the package when redis-server is missing', async () => {
    await expect(start({ binary: 'no-such-redis' })).rejects.toThrow(
      'no-such-redis not found on PATH. Install it: apt-get install redis-server',
    );
  });
});
