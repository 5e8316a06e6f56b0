import { connect, MutatedCommands, type Connected } from '@roost/redis/testing';
import type { Commands } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import type { SessionNews } from './index.js';
import { RedisCodeStore } from './one-time/redis-code.store.js';
import { RedisSessionStore } from './sessions/redis-session.store.js';
import { codeVectors, passInRedis, rotationVectors, sessionVectors, type Vector } from './testing.js';

/** Guards of the scripts, taken away on purpose: the suite of stores is only worth something if it notices. */
describe('the suites notice a script', () => {
  let server: RedisServer;
  let redis: Connected;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, commandTimeoutMs: 10_000 });
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  /** Whether each promise whose name begins so is kept. */
  async function keeps<Bench>(vectors: readonly Vector<Bench>[], promise: string, bench: Bench): Promise<boolean> {
    const found = vectors.filter(({ name }) => name.startsWith(promise));
    expect(found).toHaveLength(1);
    return found[0]!.check(bench).then(
      () => true,
      () => false,
    );
  }

  /** Commands whose scripts lack what they should have; as many scripts as have it. */
  function without(what: string, instead: string): { readonly commands: Commands; readonly changed: Set<string> } {
    const changed = new Set<string>();
    const commands = new MutatedCommands(redis.commands, (lua) => {
      const mutated = lua.replaceAll(what, instead);
      if (mutated !== lua) changed.add(lua);
      return mutated;
    });
    return { commands, changed };
  }

  const rest = { pass: (ms: number) => passInRedis(redis.commands, ms), close: () => undefined };

  it.each([
    ['that writes what is gone', 'if not abs then return 0 end', 'abs = abs or now + 60000', 'case 69: what ended'],
    ['that begins again what ended', "if call('EXISTS', KEYS[2]) == 1 then return -2 end", '', 'case 69: what ended'],
    ['that gives an id twice', "if call('EXISTS', KEYS[1]) == 1 then return -1 end", '', 'an id that is taken'],
    ['that forgets the absolute end', 'math.min(tonumber(idleMs), abs - now)', 'tonumber(idleMs)', 'case 73'],
    ['that looks at no size', 'if bytes > maxBytes then return -bytes end', '', 'holds no more'],
    ['that does not let it roll on', "call('PEXPIRE', key, left)", '', 'case 73'],
    ['that lets the planted id go on', "call('HSET', KEYS[1], 'old', 1)", '', 'case 71: who planted an id sees'],
    [
      'that leads the planted id on',
      "if before == '' and user ~= '' then",
      'if false then',
      'case 71: who planted an id sees',
    ],
    ['that keeps the former id for good', "call('PEXPIRE', KEYS[1], ARGV[6])", '', 'case 72: a rotated id'],
    ['that keeps who left on the list', "redis.pcall('ZREM', KEYS[4], ARGV[1])", '', 'another user ends'],
    ['that tells of no end', "if not got[3] then redis.pcall('PUBLISH', ARGV[3], ARGV[4]) end", '', 'case 79: knows'],
  ])('%s', async (_what, guard, instead, promise) => {
    const { commands, changed } = without(guard, instead);
    const told: SessionNews[] = [];
    const store = new RedisSessionStore({ commands, keyPrefix: 'roost', channel: redis.pubsub.wire('news') });
    const stop = await redis.pubsub.subscribe('news', (message) => void told.push(JSON.parse(message) as SessionNews));
    const news = async () => {
      await redis.commands.read('PING');
      return told;
    };
    const vectors = [...sessionVectors, ...rotationVectors];
    expect(await keeps(vectors, promise, { store, news, ...rest })).toBe(false);
    expect(changed.size).toBeGreaterThan(0);
    stop();
  });

  it.each([
    ['that counts no attempts', "call('HINCRBY', KEYS[1], 'n', -1)", '5', 'case 80'],
    ['that accepts a code again', "if differences == 0 or left <= 0 then call('DEL', KEYS[1]) end", '', 'case 81'],
    ['that knows no cool-down', 'if cool > now then return { 1, cool - now } end', '', 'case 82'],
    [
      'that forgives with each code',
      "call('DEL', KEYS[1])\ncall('HSET'",
      "call('DEL', KEYS[2])\ncall('HSET'",
      'case 83',
    ],
    ['that keeps a former code’s attempts out of the budget', "spend('bad', bad, windowMs)", '', 'case 83'],
    ['that sends for ever', 'if #sent >= sends then return', 'if false then return', 'sends no more codes'],
    ['that lets a window never end', 'if now - ms < tonumber(windowMs) then', 'if true then', 'never more within'],
    [
      'that forgets all at the end of the first window',
      'math.max(windowMs, cool - now)',
      'windowMs',
      'a cool-down goes',
    ],
    ['that compares only the first half', 'for i = 1, #ARGV[1] do', 'for i = 1, 0 do', 'case 80'],
  ])('of codes %s', async (_what, guard, instead, promise) => {
    const { commands, changed } = without(guard, instead);
    expect(await keeps(codeVectors, promise, { store: new RedisCodeStore(commands), ...rest })).toBe(false);
    expect(changed.size).toBeGreaterThan(0);
  });
});
