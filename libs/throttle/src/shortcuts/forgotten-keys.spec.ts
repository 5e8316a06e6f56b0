import { Test, type TestingModule } from '@nestjs/testing';
import { Key, RedisConnections, RedisModule, type PubSub } from '@roost/redis';
import { eventually } from '@roost/testing';
import { ForgottenKeys } from './forgotten-keys.js';

/** On a connection without a Redis, whose messages reach this process alone. */
describe('ForgottenKeys', () => {
  let app: TestingModule;
  let pubsub: PubSub;
  beforeAll(async () => {
    app = await (await Test.createTestingModule({ imports: [RedisModule.forRoot({})] }).compile()).init();
    pubsub = app.get(RedisConnections).get().pubsub;
  });
  afterAll(() => app?.close());

  const keys = (count: number) => Array.from({ length: count }, (_, i) => new Key(`key-${i}`, 'rate'));

  async function open() {
    const heard: (readonly string[] | undefined)[] = [];
    const news = new ForgottenKeys(pubsub, (names) => heard.push(names));
    expect(news.listening).toBe(false);
    await eventually(() => expect(news.listening).toBe(true), { within: 1_000, every: 1 });
    return { news, heard };
  }

  it('tells the keys of one turn together, each once', async () => {
    const { news, heard } = await open();
    await Promise.all([news.tell(keys(2)), news.tell(keys(3)), news.tell([])]);
    expect(heard).toEqual([['key-0', 'key-1', 'key-2']]);
    news.close();
  });

  it('bounds its messages, and tells of very many as of all', async () => {
    const { news, heard } = await open();
    await news.tell(keys(450));
    expect(heard.map((names) => names?.length)).toEqual([200, 200, 50]);
    await news.tell(keys(2_001));
    expect(heard.slice(3)).toEqual([undefined]);
    news.close();
  });

  it.each(['', '{', '"key-0"', '*'])('takes %p for "perhaps all"', async (message) => {
    const { news, heard } = await open();
    await pubsub.publish('throttle:forgotten', message);
    expect(heard).toEqual([undefined]);
    news.close();
  });

  it('hears nothing any more once it is closed, and fails nobody who tells', async () => {
    const { news, heard } = await open();
    news.close();
    await news.tell(keys(1));
    expect([heard, news.listening]).toEqual([[], false]);
    const failing = { ...port(), publish: () => Promise.reject(new Error('lost')) };
    await expect(new ForgottenKeys(failing, () => undefined).tell(keys(1))).resolves.toBeUndefined();
  });

  function port(): Pick<PubSub, 'publish' | 'subscribe' | 'onGap'> {
    return {
      publish: pubsub.publish.bind(pubsub),
      subscribe: pubsub.subscribe.bind(pubsub),
      onGap: pubsub.onGap.bind(pubsub),
    };
  }
});
