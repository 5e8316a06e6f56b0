import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import { FaultProxy } from './fault-proxy.js';
import { RedisServer } from './redis-server.js';
import { encodeCommand } from './resp.js';

/** A client that remembers what happened to it. */
class Client {
  received = '';
  ended = false;
  error: string | undefined;
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text: string) => (this.received += text));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  send(...args: string[]): void {
    this.socket.write(encodeCommand(args));
  }

  async expect(text: string): Promise<void> {
    await eventually(() => expect(this.received).toBe(text), { within: 2_000, every: 2 });
  }

  async expectError(code: string): Promise<void> {
    await eventually(() => expect(this.error).toBe(code), { within: 2_000, every: 2 });
  }

  async expectSilence(): Promise<void> {
    const before = this.received;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([this.received, this.ended, this.error]).toEqual([before, false, undefined]);
  }
}

describe('FaultProxy', () => {
  let server: RedisServer;
  let other: RedisServer;
  let proxy: FaultProxy;
  const clients: Client[] = [];

  beforeAll(async () => {
    [server, other] = await Promise.all([RedisServer.start(), RedisServer.start()]);
  });

  afterAll(() => Promise.all([server.stop(), other.stop()]));

  beforeEach(async () => {
    await server.command('FLUSHALL');
    proxy = await FaultProxy.start({ target: server });
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await proxy.stop();
    expect(proxy.connections).toBe(0);
    await eventually(async () => expect(await connectedClients(server)).toBe(1), { within: 2_000 });
  });

  function open(): Client {
    const client = new Client(proxy.port);
    clients.push(client);
    return client;
  }

  async function openAndPing(): Promise<Client> {
    const client = open();
    client.send('PING');
    await client.expect('+PONG\r\n');
    client.received = '';
    return client;
  }

  it('passes everything on and counts', async () => {
    const client = open();
    client.send('ECHO', 'ä'.repeat(300_000));
    await client.expect(`$600000\r\n${'ä'.repeat(300_000)}\r\n`);
    expect(proxy.connections).toBe(1);
    expect(proxy.bytesToServer).toBe(encodeCommand(['ECHO', 'ä'.repeat(300_000)]).length);
    client.socket.end();
    await eventually(() => client.ended && proxy.connections === 0, { within: 2_000 });
  });

  it('delays each direction and keeps the order, also over a change of mode', async () => {
    const client = await openAndPing();
    const startedAt = performance.now();
    await proxy.delay(60);
    client.send('ECHO', 'first');
    await eventually(() => client.socket.bytesWritten > 14, { within: 1_000, every: 2 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await proxy.delay(0);
    client.send('ECHO', 'second');
    await client.expect('$5\r\nfirst\r\n$6\r\nsecond\r\n');
    expect(performance.now() - startedAt).toBeGreaterThan(60);
    client.received = '';
    await proxy.delay(40);
    const sentAt = performance.now();
    client.send('PING');
    await client.expect('+PONG\r\n');
    expect(performance.now() - sentAt).toBeGreaterThan(78);
    expect(performance.now() - sentAt).toBeLessThan(500);
  });

  it('lets a connection that has sent a mark overtake others', async () => {
    const [slow, quick] = await Promise.all([openAndPing(), openAndPing()]);
    await proxy.jitter((marked) => (marked ? 0 : 60), 'MARK');
    const startedAt = performance.now();
    slow.send('ECHO', 'first');
    quick.send('ECHO', 'MARK');
    await quick.expect('$4\r\nMARK\r\n');
    expect([slow.received, performance.now() - startedAt < 60]).toEqual(['', true]);
    await slow.expect('$5\r\nfirst\r\n');
    expect(performance.now() - startedAt).toBeGreaterThan(118);
  });

  it('keeps sockets open and silent in a blackhole', async () => {
    const established = await openAndPing();
    await proxy.blackhole();
    const bytes = proxy.bytesToServer;
    established.send('SET', 'lost', '1');
    const fresh = open();
    await once(fresh.socket, 'connect');
    fresh.send('PING');
    await established.expectSilence();
    await fresh.expectSilence();
    expect(proxy.connections).toBe(2);
    expect(proxy.bytesToServer).toBe(bytes);
    expect(await server.keys()).toEqual([]);
  });

  it('never delivers what a blackhole swallowed, nor what follows it on that connection', async () => {
    const [deaf, idle] = await Promise.all([openAndPing(), openAndPing()]);
    await proxy.blackhole();
    deaf.send('SET', 'lost', '1');
    await deaf.expectSilence();
    await proxy.pass();
    deaf.send('SET', 'after', '1');
    await deaf.expectSilence();
    idle.send('PING');
    await idle.expect('+PONG\r\n');
    await openAndPing();
    expect(await server.keys()).toEqual([]);
  });

  it('connects those who came during a blackhole and said nothing yet', async () => {
    await proxy.blackhole();
    const client = open();
    await once(client.socket, 'connect');
    await proxy.pass();
    client.send('PING');
    await client.expect('+PONG\r\n');
  });

  it('hides the death of the server in a blackhole, and of the client from the server', async () => {
    proxy.retarget(other.port);
    const client = await openAndPing();
    const leaving = await openAndPing();
    await proxy.blackhole();
    leaving.socket.destroy();
    await eventually(() => proxy.connections === 1, { within: 1_000 });
    expect(await connectedClients(other)).toBe(3);
    await other.kill();
    await client.expectSilence();
    await proxy.pass();
    await client.expectError('ECONNRESET');
    await other.restart();
  });

  it('tells the server of a client that left in a blackhole once the network is back', async () => {
    const leaving = await openAndPing();
    await proxy.blackhole();
    leaving.socket.resetAndDestroy();
    await eventually(() => proxy.connections === 0, { within: 1_000 });
    expect(await connectedClients(server)).toBe(2);
    await proxy.pass();
    await eventually(async () => expect(await connectedClients(server)).toBe(1), { within: 1_000 });
  });

  it('drops replies to requests that were executed', async () => {
    const client = await openAndPing();
    await proxy.dropReplies();
    client.send('INCR', 'n');
    await eventually(async () => expect(await server.command('GET', 'n')).toBe('1'), { within: 1_000 });
    await client.expectSilence();
    await proxy.pass();
    client.send('INCR', 'n');
    await eventually(async () => expect(await server.command('GET', 'n')).toBe('2'), { within: 1_000 });
    await client.expectSilence(); // never the reply of another request
    client.socket.end();
    await eventually(() => client.ended, { within: 1_000 });
  });

  it('executes a request exactly once while its client sees a reset', async () => {
    const client = await openAndPing();
    await server.command('CONFIG', 'RESETSTAT');
    await proxy.dropReplies({ thenReset: true });
    client.send('INCR', 'n');
    await client.expectError('ECONNRESET');
    expect(client.received).toBe('');
    expect((await server.commandStats())['incr']?.calls).toBe(1);
    const again = open();
    again.send('PING');
    await again.expectError('ECONNRESET');
  });

  it('resets only once when told so, so that the same request sent again is answered', async () => {
    const client = await openAndPing();
    await proxy.dropReplies({ thenReset: true, once: true });
    client.send('INCR', 'n');
    await client.expectError('ECONNRESET');
    const again = open();
    again.send('INCR', 'n');
    await again.expect(':2\r\n');
  });

  it('waits for the request that it is told of, whatever else is asked before', async () => {
    const [probing, counting] = await Promise.all([openAndPing(), openAndPing()]);
    await proxy.dropReplies({ thenReset: true, once: true, to: 'INCR' });
    probing.send('PING');
    await probing.expect('+PONG\r\n');
    counting.send('PING');
    await counting.expect('+PONG\r\n');
    counting.received = '';
    counting.send('INCR', 'n');
    await counting.expectError('ECONNRESET');
    expect([counting.received, await server.command('GET', 'n')]).toEqual(['', '1']);
  });

  it('resets all connections at once and goes on', async () => {
    const both = [await openAndPing(), await openAndPing()];
    proxy.reset();
    await Promise.all(both.map((client) => client.expectError('ECONNRESET')));
    await openAndPing();
  });

  it('refuses, and listens again on the same port', async () => {
    const client = await openAndPing();
    await proxy.refuse();
    await client.expectError('ECONNRESET');
    await open().expectError('ECONNREFUSED');
    await proxy.delay(1);
    await openAndPing();
  });

  it('leads new connections to another server', async () => {
    const before = await openAndPing();
    proxy.retarget(other.port);
    const after = await openAndPing();
    after.send('SET', 'here', '1');
    await after.expect('+OK\r\n');
    expect(await other.keys()).toEqual(['here']);
    before.send('SET', 'there', '1');
    await before.expect('+OK\r\n');
    expect(await server.keys()).toEqual(['there']);
  });

  it('passes on that the server is gone', async () => {
    proxy.retarget(other.port);
    const client = await openAndPing();
    await other.kill();
    await eventually(() => client.ended || client.error !== undefined, { within: 1_000 });
    await open().expectError('ECONNRESET');
  });
});

/** Clients of the server, the one that asks included. */
async function connectedClients(server: RedisServer): Promise<number> {
  return Number(/connected_clients:(\d+)/.exec(String(await server.command('INFO', 'clients')))?.[1]);
}
