import { eventually, freePort, RedisServer } from '@roost/testing';
import { RedisNotConfiguredError } from './redis.errors.js';
import { connect, type Connected } from './testing.js';

describe('a client that is lent to a library', () => {
  let server: RedisServer;
  let opened: Connected | undefined;
  beforeAll(async () => void (server = await RedisServer.start()));
  afterEach(async () => {
    server.thaw();
    await opened?.close();
    if (!server.running) await server.restart();
  });
  afterAll(() => server.stop());

  async function lend(role: 'producer' | 'worker' | 'blocking', url = server.url) {
    opened = await connect({ url });
    const lent = opened.connection.jobClient(role);
    lent.open();
    return lent;
  }
  const tookMs = async (run: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await run();
    return performance.now() - startedAt;
  };

  const messageOf = (refused: Promise<unknown>) => refused.then(String, ({ message }: Error) => message);

  it('is not to be had without a Redis', async () => {
    opened = await connect({});
    expect(() => opened!.connection.jobClient('worker')).toThrow(RedisNotConfiguredError);
  });

  it('of a producer waits for its first try to connect, and then fails at once while Redis is lost', async () => {
    const lent = await lend('producer');
    expect(await lent.client.ping()).toBe('PONG');
    await opened!.close();

    const nowhere = await lend('producer', `redis://127.0.0.1:${await freePort()}`);
    await expect(nowhere.client.ping()).rejects.toThrow(/max retries/);
    expect(await tookMs(() => expect(nowhere.client.ping()).rejects.toThrow(/writeable/))).toBeLessThan(50);
  });

  it('of a producer gives up what is not answered in a second, and sends none of it later', async () => {
    const lent = await lend('producer');
    await lent.whenReady(1_000);
    server.freeze();
    const asked = [lent.client.incr('given-up'), lent.client.incr('given-up')];
    const took = await tookMs(() => Promise.allSettled(asked));
    expect(took).toBeGreaterThan(900);
    expect(took).toBeLessThan(1_200);
    await expect(lent.client.incr('never-sent')).rejects.toThrow(/writeable/);
    server.thaw();
    await eventually(() => lent.ready, { within: 4_000 });
    expect(await lent.client.get('never-sent')).toBeNull();
  });

  it('of a worker waits for Redis, and rejects what was sent to one that was lost', async () => {
    const lent = await lend('worker');
    expect(await lent.client.ping()).toBe('PONG');
    server.freeze();
    const sent = lent.client.ping();
    const lost = messageOf(sent);
    await server.kill();
    expect(await lost).toBe('Connection is closed.');
    const waits = lent.client.ping();
    await server.restart();
    lent.hurry();
    expect(await waits).toBe('PONG');
  });

  it('of a worker gives up a silence that no script takes, and what waits goes to the next connection', async () => {
    const lent = await lend('worker');
    await lent.whenReady(1_000);
    server.freeze();
    const sent = messageOf(lent.client.ping());
    const took = await tookMs(async () => expect(await sent).toBe('Command timed out'));
    expect(took).toBeGreaterThan(2_700);
    expect(took).toBeLessThan(3_300);
    const waits = lent.client.ping();
    server.thaw();
    expect(await waits).toBe('PONG');
  });

  it('ends at once and rejects what waits, between two tries too; cut off, it may be opened again', async () => {
    const nowhere = await lend('worker', `redis://127.0.0.1:${await freePort()}`);
    await eventually(() => nowhere.client.status === 'reconnecting', { within: 1_000 });
    const waits = messageOf(nowhere.client.ping());
    expect(await tookMs(() => nowhere.end(300))).toBeLessThan(50);
    expect(await waits).toBe('Connection is closed.');
    await opened!.close();

    const lent = await lend('blocking');
    await lent.whenReady(1_000);
    const waiting = messageOf(lent.client.blpop('nothing', 0));
    expect(await tookMs(() => lent.cut())).toBeLessThan(150);
    expect(await waiting).toBe('Connection is closed.');
    lent.open();
    expect(await lent.whenReady(1_000)).toBe(true);
  });

  it('lets what was sent be answered when it ends, but for a server that hangs', async () => {
    const lent = await lend('worker');
    await lent.whenReady(1_000);
    const sent = lent.client.set('last', 'word');
    await lent.end(300);
    expect(await sent).toBe('OK');
    await opened!.close();

    const hung = await lend('worker');
    await hung.whenReady(1_000);
    server.freeze();
    expect(await tookMs(() => hung.end(100))).toBeLessThan(400);
  });

  it('is ended with the connection', async () => {
    const lent = await lend('blocking');
    await lent.whenReady(1_000);
    await opened!.close();
    expect(lent.client.status).toBe('end');
  });
});
