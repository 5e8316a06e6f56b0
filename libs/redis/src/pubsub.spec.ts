import { eventually, RedisServer } from '@roost/testing';
import type { PubSubGap } from './index.js';
import { connect, type Connected } from './testing.js';

describe('PubSub', () => {
  let server: RedisServer;
  let one: Connected;
  let other: Connected;
  beforeEach(async () => {
    server = await RedisServer.start();
    [one, other] = await Promise.all([
      connect({ url: server.url, heartbeatMs: 500, recheckMs: 1_000 }),
      connect({ url: server.url, heartbeatMs: 500, recheckMs: 1_000 }),
    ]);
  });
  afterEach(async () => {
    await Promise.all([one.close(), other.close()]);
    await server.stop();
  });

  async function listen(redis: Connected, channel = 'news') {
    const heard: string[] = [];
    const gaps: PubSubGap['phase'][] = [];
    redis.pubsub.onGap(({ phase }) => gaps.push(phase));
    const stop = await redis.pubsub.subscribe(channel, (message) => heard.push(message));
    return { heard, gaps, stop };
  }

  it('reaches every process once the subscription resolved, the sender included', async () => {
    const [a, b] = await Promise.all([listen(one), listen(other)]);
    expect(await one.pubsub.publish('news', 'hello')).toBe('redis');
    await eventually(() => a.heard.length === 1 && b.heard.length === 1, { within: 1_000 });
    expect([a.heard, b.heard]).toEqual([['hello'], ['hello']]);
  });

  it('names a channel as Redis knows it, for scripts that publish', async () => {
    const a = await listen(one, 'turn:a');
    await server.command('PUBLISH', `${other.pubsub.wire('turn:')}a`, 'hello');
    await eventually(() => a.heard.length === 1, { within: 1_000 });
    expect(a.heard).toEqual(['hello']);
  });

  it('resolves every subscription of a channel only when the server listens', async () => {
    const [a, b] = await Promise.all([listen(one), listen(one)]);
    await other.pubsub.publish('news', 'hello');
    await eventually(() => a.heard.length === 1 && b.heard.length === 1, { within: 1_000 });
    a.stop();
    a.stop();
    await other.pubsub.publish('news', 'again');
    await eventually(() => b.heard.length === 2, { within: 1_000 });
    expect(a.heard).toEqual(['hello']);
  });

  it('keeps channels apart and stops when told', async () => {
    const a = await listen(one, 'a');
    await one.pubsub.publish('b', 'not for a');
    a.stop();
    await one.pubsub.publish('a', 'too late');
    const b = await listen(one, 'b');
    await one.pubsub.publish('b', 'for b');
    await eventually(() => b.heard.length === 1, { within: 1_000 });
    expect(a.heard).toEqual([]);
  });

  it('T8 tells of a gap when its connection is killed in traffic, and hears again afterwards', async () => {
    const { heard, gaps } = await listen(one);
    for (let i = 0; i < 50; i++) {
      if (i === 10) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await other.pubsub.publish('news', `${i}`);
    }
    await eventually(() => gaps.includes('restored'), { within: 4_000 });
    expect(gaps).toEqual(['lost', 'restored']);
    expect(heard.length).toBeLessThan(50);
    await other.pubsub.publish('news', 'again');
    await eventually(() => heard.includes('again'), { within: 1_000 });
  });

  it('T7 tells an idle subscriber of a frozen server within its heartbeat', async () => {
    const { gaps } = await listen(one);
    server.freeze();
    await eventually(() => gaps.length === 1, { within: 3_000 });
    server.thaw();
    await eventually(() => gaps.length === 2, { within: 4_000 });
    expect(gaps).toEqual(['lost', 'restored']);
  });

  it('delivers within this process alone while Redis is gone, and says so', async () => {
    const [a, b] = await Promise.all([listen(one), listen(other)]);
    await server.kill();
    expect(await one.pubsub.publish('news', 'local')).toBe('memory');
    expect([a.heard, b.heard]).toEqual([['local'], []]);
  });

  it('does not say twice what may have been heard', async () => {
    const { heard } = await listen(one);
    server.freeze();
    await expect(one.pubsub.publish('news', 'once')).rejects.toMatchObject({ outcomeUnknown: true });
    server.thaw();
    await eventually(() => heard.length > 0, { within: 3_000 });
    expect(heard).toEqual(['once']);
  });

  it('resolves a subscription made while Redis is gone, with a gap, and restores it later', async () => {
    await server.kill();
    const { heard, gaps } = await listen(one);
    expect(gaps).toEqual(['lost']);
    await server.restart();
    await eventually(() => gaps.includes('restored'), { within: 6_000 });
    await eventually(() => other.pubsub.publish('news', 'x').then((by) => by === 'redis' && heard.length > 0), {
      within: 8_000,
    });
  });

  it('settles a subscription that was under way when the server froze', async () => {
    await listen(one, 'first');
    server.freeze();
    const late = listen(one, 'second');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    server.thaw();
    const { heard } = await late;
    await eventually(
      async () => {
        await other.pubsub.publish('second', 'x').catch(() => undefined);
        return heard.length > 0;
      },
      { within: 8_000 },
    );
  });

  it('survives a server that forbids its channels, and opens nothing once closed', async () => {
    const { gaps } = await listen(one);
    await server.command('ACL', 'SETUSER', 'default', 'resetchannels');
    await eventually(() => gaps.length > 0, { within: 4_000 });
    await new Promise((resolve) => setTimeout(resolve, 300)); // an unhandled rejection would end the run here
    await server.command('ACL', 'SETUSER', 'default', 'allchannels');
    await one.close();
    await one.pubsub.subscribe('news', () => undefined);
    await other.close();
    await eventually(async () => !String(await server.command('CLIENT', 'LIST')).includes('name=roost:'), {
      within: 2_000,
    });
  });

  it('tells of a gap when a subscription is refused, also who comes later', async () => {
    await server.command('ACL', 'SETUSER', 'deaf', 'on', 'nopass', '~*', '+@all', 'resetchannels');
    const deaf = await connect({ url: server.url.replace('redis://', 'redis://deaf:x@') });
    try {
      expect((await listen(deaf)).gaps).toEqual(['lost']);
      expect((await listen(deaf)).gaps).toEqual(['lost']);
    } finally {
      await deaf.close();
    }
  });

  it('works within a process that has no Redis', async () => {
    const alone = await connect({});
    const { heard } = await listen(alone);
    expect(await alone.pubsub.publish('news', 'hi')).toBe('memory');
    expect(heard).toEqual(['hi']);
    await alone.close();
  });

  it('does not let one handler that throws keep a message from the next', async () => {
    await one.pubsub.subscribe('news', () => {
      throw new Error('handler broke');
    });
    const { heard } = await listen(one);
    await one.pubsub.publish('news', 'hello');
    await eventually(() => heard.length === 1, { within: 1_000 });
    expect(one.logged).toContainEqual(expect.objectContaining({ level: 'warn', message: 'Pub/sub: handler broke' }));
  });
});
