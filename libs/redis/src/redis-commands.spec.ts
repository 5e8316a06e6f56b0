import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { connect, type Connected } from './testing.js';
import {
  CrossSlotError,
  defineKey,
  defineScript,
  RedisReplyError,
  RedisTimeoutError,
  RedisUnavailableError,
} from './index.js';

const item = defineKey('test:item:{id}', { ttl: '1m', maxBytes: 100, slot: 'id' });
const join = defineScript('test.join', {
  keys: ['items...'],
  args: ['first', 'rest...'],
  reply: (raw: string) => raw,
  lua: `return table.concat(KEYS, ',') .. '|' .. table.concat(ARGV, ',')`,
  readOnly: true,
});

describe('RedisCommands', () => {
  let server: RedisServer;
  let redis: Connected;
  beforeEach(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url });
  });
  afterEach(async () => {
    await redis.close();
    await server.stop();
  });

  it('prefixes keys, and only keys', async () => {
    await redis.commands.write('SET', item.of({ id: 'a' }), 'a', 'PX', 60_000);
    expect(await redis.commands.read('GET', item.of({ id: 'a' }))).toBe('a');
    expect(await server.keys('roost:test:*')).toEqual(['roost:test:item:{a}']);
  });

  it('passes lists of keys and arguments to a script, loads it once and again after SCRIPT FLUSH', async () => {
    const run = () => redis.commands.run(join, { items: [item.of({ id: 'x' })] }, { first: 1, rest: ['b', 'c'] });
    expect(await run()).toBe('roost:test:item:{x}|1,b,c');
    await run();
    await server.command('SCRIPT', 'FLUSH');
    expect(await run()).toBe('roost:test:item:{x}|1,b,c');
    const { eval: evals, evalsha } = await server.commandStats();
    expect([evals?.calls, evalsha?.calls]).toEqual([2, 3]);
    expect(redis.backend.current).toBe('redis');
  });

  it('gives a script that has to be loaded the time of one command, not of two', async () => {
    const proxy = await FaultProxy.start({ target: server });
    const far = await connect({ url: proxy.url });
    await proxy.delay(85);
    const startedAt = performance.now();
    const error = await far.commands
      .run(join, { items: [item.of({ id: 'x' })] }, { first: 1, rest: [] })
      .catch((each: Error) => each);
    expect(error).toBeInstanceOf(RedisTimeoutError);
    expect(performance.now() - startedAt).toBeLessThan(320);
    await far.close();
    await proxy.stop();
  });

  it('refuses a script over several hash slots before anything is sent', async () => {
    const items = [item.of({ id: 'a' }), item.of({ id: 'b' })];
    await expect(redis.commands.run(join, { items }, { first: 1, rest: [] })).rejects.toBeInstanceOf(CrossSlotError);
  });

  it('answers a pipeline in order, with errors in their places', async () => {
    const key = item.of({ id: 'p' });
    const replies = await redis.commands.pipeline('write', [
      ['SET', key, 'text'],
      ['INCR', key],
      ['GET', key],
    ]);
    expect(replies).toEqual(['OK', expect.any(RedisReplyError), 'text']);
  });

  it('calls a wrong command a bug: it surfaces and opens no breaker', async () => {
    const key = item.of({ id: 'w' });
    await redis.commands.write('SET', key, 'text');
    for (let i = 0; i < 10; i++) {
      await expect(redis.commands.write('INCR', key)).rejects.toBeInstanceOf(RedisReplyError);
    }
    expect(redis.backend.choose('write')).toBe('redis');
  });

  it('does not repeat what was sent in an error', async () => {
    const error = await redis.commands.write('NOSUCHCOMMAND', 'S3CRET').catch((each: Error) => each);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('S3CRET');
  });

  it('gives up after its deadline when Redis is frozen, and says that the command may still run', async () => {
    server.freeze();
    const startedAt = performance.now();
    const error = await redis.commands.write('INCR', item.of({ id: 'f' })).catch((each: Error) => each);
    const took = performance.now() - startedAt;
    expect(error).toBeInstanceOf(RedisTimeoutError);
    expect(error).toMatchObject({ errorClass: 'timeout', outcomeUnknown: true, code: 'redis.timeout' });
    expect(took).toBeGreaterThan(240);
    expect(took).toBeLessThan(400);
  });

  it('fails at once when Redis is dead, and runs nothing of it when Redis returns', async () => {
    await server.kill();
    await eventually(
      async () => {
        const startedAt = performance.now();
        const error = await redis.commands.write('INCR', item.of({ id: 'd' })).catch((each: Error) => each);
        expect(error).toBeInstanceOf(RedisUnavailableError);
        expect(performance.now() - startedAt).toBeLessThan(50);
      },
      { within: 1_000 },
    );
    await server.restart();
    await eventually(() => redis.commands.read('PING'), { within: 8_000 });
    expect(await redis.commands.read('GET', item.of({ id: 'd' }))).toBeNull();
  });

  it('sends the commands of one turn in few writes, in order', async () => {
    const before = await inputs();
    const replies = await Promise.all(
      Array.from({ length: 96 }, () => redis.commands.write<number>('INCR', item.of({ id: 'c' }))),
    );
    expect(replies).toEqual(Array.from({ length: 96 }, (_, index) => index + 1));
    expect((await inputs()) - before).toBeLessThanOrEqual(12);

    async function inputs(): Promise<number> {
      const info = String(await server.command('INFO', 'stats'));
      return Number(/total_reads_processed:(\d+)/.exec(info)![1]);
    }
  });

  it('keeps commands until the turn ends, but not a script in which the turn was gathered', async () => {
    const atUs = (raw: readonly [string, string]) => Number(raw[0]) * 1e6 + Number(raw[1]);
    const clock = { keys: ['item'], args: [], reply: atUs, lua: `return redis.call('TIME')` } as const;
    const [usual, gathered] = [
      defineScript('test.usual', clock),
      defineScript('test.gathered', { ...clock, gathered: true }),
    ];
    const key = item.of({ id: 'x' });
    for (const script of [usual, gathered]) await redis.commands.run(script, { item: key }, {});
    const first = redis.commands.write('PING'); // alone it leaves at once, and then nothing is alone
    const three = [usual, gathered, usual].map((script) => redis.commands.run(script, { item: key }, {}));
    const busyUntil = performance.now() + 60;
    while (performance.now() < busyUntil);
    await first;
    const [before, turn, after] = await Promise.all(three);
    expect(after! - turn!).toBeGreaterThan(30_000);
    expect(turn! - before!).toBeLessThan(30_000); // the order stays
  });

  it('rejects an argument that is no text, and goes on', async () => {
    const wrong = redis.commands.write('SET', item.of({ id: 'x' }), Object.create(null) as string);
    await expect(wrong).rejects.toThrow(/convert/);
    expect(await redis.commands.read('PING')).toBe('PONG');
  });

  it('leaves a read connection that is refused to its pauses: no storm, and nothing after close', async () => {
    const small = await RedisServer.start({ args: ['--maxclients', '1'] });
    const far = await connect({ url: small.url }); // boots on memory or Redis, as the probe or the lane came first
    for (let i = 0; i < 200; i++) {
      await far.commands.read('PING').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await far.close();
    await eventually(() => small.command('PING'), { within: 3_000 });
    const info = String(await small.command('INFO', 'stats'));
    expect(Number(/rejected_connections:(\d+)/.exec(info)![1])).toBeLessThan(60);
    await small.stop();
  });

  it('keeps corking after a reconnect', async () => {
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => redis.commands.write('SET', item.of({ id: 'r' }), '1'), { within: 2_000 });
    const replies = await Promise.all(
      Array.from({ length: 40 }, () => redis.commands.write<number>('INCR', item.of({ id: 'r' }))),
    );
    expect(replies.at(-1)).toBe(41);
  });

  it('keeps reading while a write hangs: CLIENT PAUSE WRITE', async () => {
    const key = item.of({ id: 'pause' });
    await redis.commands.read('GET', key); // opens the read connection
    const own = /name=roost:default/g;
    await eventually(async () => String(await server.command('CLIENT', 'LIST')).match(own)?.length === 2, {
      within: 1_000,
    });
    await server.command('CLIENT', 'PAUSE', 1_000, 'WRITE');
    const write = redis.commands.write('SET', key, 'x').catch((error: Error) => error.name);
    const startedAt = performance.now();
    expect(await redis.commands.read('GET', key)).toBeNull();
    expect(performance.now() - startedAt).toBeLessThan(150);
    expect(await write).toBe('RedisTimeoutError');
  });

  it('publishes each command by name, without its arguments, to whoever listens', async () => {
    const messages: unknown[] = [];
    const listen = (message: unknown) => messages.push(message);
    subscribe('roost:redis:command', listen);
    await redis.commands.write('SET', item.of({ id: 'S3CRET' }), 'S3CRET');
    unsubscribe('roost:redis:command', listen);
    expect(messages).toEqual([expect.objectContaining({ command: 'SET', direction: 'write', connection: 'default' })]);
    expect(JSON.stringify(messages)).not.toContain('S3CRET');
  });
});
