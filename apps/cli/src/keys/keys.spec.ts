import { defineKey, redisKeys } from '@roost/redis';
import { throttleKeys } from '@roost/throttle';
import { record } from '../recording.js';
import { keys } from './keys.command.js';

const limit = defineKey('limit:{policy}:{subject}', { ttl: '1h', maxBytes: 64 });
const flag = defineKey('flag:{userId}', { ttl: '90s', maxBytes: 12 });

function list(count: string, env: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  const terminal = { isTTY: false, line: (text = '') => void lines.push(text), error: () => {}, progress: () => {} };
  keys(
    { count },
    { terminal, env, interruption: () => new AbortController().signal },
    { throttle: [limit], session: [flag] },
  );
  return lines;
}

describe('roost keys', () => {
  it('lists lifetime, size bound and memory, and the sum', () => {
    const each = limit.estimatedBytes + 'roost:'.length;
    const lines = list('1000');
    expect(lines[0]).toMatch(/^key +lib +lives at most +value at most +one key +1000 keys$/);
    expect(lines[1]).toMatch(
      new RegExp(`^roost:limit:\\{policy\\}:\\{subject\\} +throttle +1 h +64 B +${each} B +${each} kB$`),
    );
    expect(lines[2]).toMatch(/^roost:flag:\{userId\} +session +90 s +12 B/);
    expect(lines[3]).toMatch(/^all +\d+ kB$/);
  });

  it('counts the configured prefix', () => {
    expect(list('1', { ROOST_KEY_PREFIX: 'car-rental' })[1]).toMatch(/^car-rental:limit:/);
  });

  it('lists what the libs declare', async () => {
    const { code, lines } = await record(['keys', '--json', '--count', '10000']);
    const { keys: listed, totalBytes } = JSON.parse(lines.join('\n'));
    expect(code).toBe(0);
    expect(listed.map(({ key }: { key: string }) => key)).toEqual(
      expect.arrayContaining([...redisKeys, ...throttleKeys].map(({ template }) => `roost:${template}`)),
    );
    expect(totalBytes).toBe(
      10_000 * listed.reduce((sum: number, { estimatedBytes }: { estimatedBytes: number }) => sum + estimatedBytes, 0),
    );
  });

  it.each(['0', '-1', '1.5', 'many'])('refuses --count %s', async (count) => {
    const { code, errors } = await record(['keys', `--count=${count}`]);
    expect(code).toBe(1);
    expect(errors.join()).toMatch(/Expected `--count` to be a whole number/);
  });
});
