import { existsSync } from 'node:fs';
import { Client } from 'pg';
import { childrenOf, findPostgres } from './postgres-installation.js';
import { PostgresServer, type PostgresServerOptions } from './postgres-server.js';

describe('PostgresServer', () => {
  const started: PostgresServer[] = [];
  const clients: Client[] = [];

  async function start(options?: PostgresServerOptions) {
    const server = await PostgresServer.start(options);
    started.push(server);
    return server;
  }

  async function connect(server: PostgresServer) {
    const client = new Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  }

  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
    await Promise.all(clients.splice(0).map((client) => client.end()));
  });

  it('takes connections as soon as it is started, configured as asked', async () => {
    const server = await start({ config: { max_connections: 17 } });
    const client = await connect(server);
    const { rows } = await client.query(
      `SELECT current_setting('max_connections') AS n, current_setting('fsync') AS f`,
    );
    expect(rows).toEqual([{ n: '17', f: 'off' }]);
  });

  it('hangs while frozen, also connections that are open, and answers once thawed', async () => {
    const server = await start();
    const client = await connect(server);
    server.freeze();
    let answers = 0;
    const asked = [client.query('SELECT 1'), connect(server)].map((call) => call.then(() => answers++));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answers).toBe(0);
    server.thaw();
    await Promise.all(asked);
    expect(answers).toBe(2);
  });

  it('comes back with its data on the same port after a kill, without any process of before', async () => {
    const server = await start();
    const client = await connect(server);
    await client.query('CREATE TABLE kept AS SELECT 1 AS n');
    const before = [server.pid, ...childrenOf(server.pid)];
    await server.kill();
    expect(server.running).toBe(false);
    await expect(connect(server)).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect(before).not.toContain(server.pid);
    expect(childrenOf(server.pid).filter((pid) => before.includes(pid))).toEqual([]);
    expect((await (await connect(server)).query('SELECT n FROM kept')).rows).toEqual([{ n: 1 }]);
  });

  it('restarts cleanly, frozen or not', async () => {
    const server = await start();
    server.freeze();
    await server.restart();
    expect((await (await connect(server)).query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('can be stopped while frozen, twice, and leaves nothing behind', async () => {
    const server = await start();
    server.freeze();
    const children = childrenOf(server.pid);
    expect(children).not.toEqual([]);
    await Promise.all([server.stop(), server.stop()]);
    expect(existsSync(server.dir)).toBe(false);
    expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(() => server.freeze()).toThrow('not running');
    await expect(server.restart()).rejects.toThrow('was stopped');
  });

  it('says why it did not start', async () => {
    await expect(start({ config: { max_connections: 'many' } })).rejects.toThrow(/ended at start[^]*max_connections/);
  });

  it('does not take another server on the port for its own', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow('Address already in use');
  });

  it('names the package when PostgreSQL is missing', () => {
    expect(() => findPostgres('initdb', '/nowhere', '/nowhere-either')).toThrow(
      'initdb not found on PATH or in /nowhere-either/*/bin. Install it: apt-get install postgresql',
    );
  });
});
