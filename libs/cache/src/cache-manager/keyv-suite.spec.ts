import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { Keyv } from 'keyv';
import { CacheManagerAdapter } from './cache-manager.adapter.js';
import type { Entries } from './entries.js';
import { MemoryEntries } from './memory-entries.js';
import { RedisEntries } from './redis-entries.js';

type Suite = Parameters<typeof keyvTestSuite>[0];

let ran = 0;

/** The suite is written for vitest, which hands `expect` to each test. */
const jestAsVitest = {
  it: (name: string, run: (context: { expect: typeof expect }) => unknown) =>
    it(`${name}`, async () => {
      ran++;
      await run({ expect });
    }),
  beforeEach,
  afterEach,
} as unknown as Suite;

let server: RedisServer;
let app: TestingModule;
let redis: Entries;
let memory: Entries;

beforeAll(async () => {
  server = await RedisServer.start();
  app = await Test.createTestingModule({
    imports: [RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 })],
  }).compile();
  await app.init();
  redis = new RedisEntries(app.get(RedisConnections).get());
  memory = new MemoryEntries(1_000_000);
});

afterAll(async () => {
  redis?.close();
  memory?.close();
  await app?.close();
  await server?.stop();
});

describe.each([
  ['redis', () => redis],
  ['memory', () => memory],
])('the suite of Keyv over %s', (_name, entries) => {
  beforeAll(() => void (ran = 0));

  const store = () => new CacheManagerAdapter(entries(), { maxValueBytes: 100_000, warn: () => undefined });
  keyvTestSuite(jestAsVitest, Keyv, store);
  keyvIteratorTests(jestAsVitest, Keyv, store);

  it('has run whole', () => expect(ran).toBe(42));
});
