import { eventually, RedisServer } from '@roost/testing';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from './browser.js';
import { startService, type Service } from './service.js';

/** Somebody in a browser with cookies of its own, as what stands on the page tells. */
class Person {
  constructor(readonly page: Page) {}

  async comeIn(name: string, room: string): Promise<void> {
    await this.page.getByPlaceholder('your name').fill(name);
    await this.page.getByPlaceholder('room').fill(room);
    await this.press('Come in');
  }

  async type(text: string): Promise<void> {
    await this.page.getByPlaceholder('say something').pressSequentially(text);
  }

  async say(text: string): Promise<void> {
    await this.type(text);
    await this.press('Say');
  }

  async press(button: string): Promise<void> {
    await this.page.getByRole('button', { name: button }).click();
  }

  /** Resolves when exactly these are shown. */
  async sees(names: readonly string[]): Promise<void> {
    await this.#shows('#people li', names);
  }

  async hears(messages: readonly string[]): Promise<void> {
    await this.#shows('#messages li', messages);
  }

  async reads(place: '#typing' | '#state', text: string): Promise<void> {
    await this.#shows(place, [text]);
  }

  async #shows(selector: string, texts: readonly string[]): Promise<void> {
    await eventually(async () => expect(await this.page.locator(selector).allTextContents()).toEqual(texts), {
      within: 10_000,
      every: 20,
    });
  }
}

describe('the page /chat in two browsers, on two instances', () => {
  let redis: RedisServer;
  let browser: Browser;
  let instances: Service[];

  beforeAll(async () => {
    redis = await RedisServer.start({ appendonly: true }); // one that comes back empty signs everybody out
    const env = { REDIS_URL: redis.url, ROOST_BACKEND: 'auto', QUEUE_BACKEND: 'memory', ROOST_RECHECK_MS: '500' };
    [browser, ...instances] = await Promise.all([startBrowser(), startService(env), startService(env)]);
    for (const { app } of instances) await app.listen(0, '127.0.0.1');
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all(instances.map(({ app }) => app.close()));
    await redis.stop();
  });

  async function open(instance: number): Promise<Person> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${await instances[instance]!.app.getUrl()}/chat`);
    return new Person(page);
  }

  it('shows two people to each other: coming, typing, talking and going', async () => {
    const [ann, ben] = [await open(0), await open(1)];
    await ann.comeIn('ann', 'lobby');
    await ann.sees(['ann']);
    await ben.comeIn('ben', 'lobby');
    await Promise.all([ann.sees(['ann', 'ben']), ben.sees(['ann', 'ben'])]);

    await ben.type('hello, <b>ann</b>');
    await ann.reads('#typing', 'ben is typing');
    await ben.press('Say');
    await Promise.all([ann.hears(['ben: hello, <b>ann</b>']), ben.hears(['ben: hello, <b>ann</b>'])]);
    await ann.reads('#typing', '');

    await ben.press('Go');
    await ann.sees(['ann']);
    await ann.page.close();
  });

  it('says that it knows only those on its server while Redis is away, and shows all when it is back', async () => {
    const [cleo, dan] = [await open(0), await open(1)];
    await cleo.comeIn('cleo', 'hall');
    await dan.comeIn('dan', 'hall');
    await cleo.sees(['cleo', 'dan']);
    await redis.kill();
    await cleo.reads('#state', 'only those on this server');
    await redis.restart();
    await Promise.all([cleo.reads('#state', ''), dan.reads('#state', '')]);
    await dan.say('here again');
    await cleo.hears(['dan: here again']);
    await cleo.sees(['cleo', 'dan']);
  });
});
