import { parseRedisUrl, addressOptions } from './connection-url.js';
import { InvalidOptionsError } from './redis.errors.js';
import { resolveRedisOptions } from './redis.options.js';

describe('parseRedisUrl', () => {
  it('reads user, password with special characters, port and database', () => {
    expect(parseRedisUrl('rediss://default:p%40ss%3Aw%2Frd@redis.example:7001/3')).toEqual({
      host: 'redis.example',
      port: 7001,
      username: 'default',
      password: 'p@ss:w/rd',
      db: 3,
      tls: true,
    });
    expect(parseRedisUrl('redis://localhost')).toEqual({ host: 'localhost', port: 6379, db: 0, tls: false });
    expect(parseRedisUrl('redis://[::1]:6380').host).toBe('::1');
    expect(parseRedisUrl('redis://redis.internal?family=0').family).toBe(0);
  });

  it.each([
    'http://x',
    'localhost:6379',
    'redis://',
    'redis://h/db',
    'redis://u:%zz@h',
    'redis://default:12#rest@host',
    'redis://u:1?x@host',
    'secret:6379',
    'redis://h?tls=no',
    '',
  ])('refuses %p without repeating it', (url) => {
    let message = '';
    try {
      parseRedisUrl(url);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).not.toBe('');
    for (const part of url.split(/[:/@]+/).filter((each) => each.length > 4 && !each.startsWith('redis'))) {
      expect(message).not.toContain(part);
    }
  });

  it('checks certificates unless told otherwise, and lets TLS win over a plain scheme', () => {
    expect(addressOptions(parseRedisUrl('redis://h'), undefined)).not.toHaveProperty('tls');
    expect(addressOptions(parseRedisUrl('redis://redis.example'), true).tls).toEqual({ servername: 'redis.example' });
    expect(addressOptions(parseRedisUrl('rediss://10.0.0.1'), false).tls).toEqual({});
  });
});

describe('resolveRedisOptions', () => {
  it('gives further connections the outer options, but not the address', () => {
    const { connections } = resolveRedisOptions({
      url: 'redis://one',
      commandTimeoutMs: 100,
      connections: { locks: { url: 'redis://two', heartbeatMs: 1_000 }, none: {} },
    });
    expect(connections.get('locks')).toMatchObject({ url: 'redis://two', commandTimeoutMs: 100, heartbeatMs: 1_000 });
    expect(connections.get('none')?.url).toBeUndefined();
  });

  it('names every problem at once and no credential', () => {
    const wrong = () =>
      resolveRedisOptions({
        url: 'redis:/user:S3CRET@host:notaport',
        backend: 'sometimes' as 'auto',
        recheckMs: 300_001,
        keyPrefix: 'a b',
        passwordFile: '/nowhere/secret',
        connections: { locks: { backend: 'redis' } },
      });
    expect(wrong).toThrow(InvalidOptionsError);
    expect(wrong).toThrow(/keyPrefix[\s\S]*url[\s\S]*backend[\s\S]*passwordFile[\s\S]*recheckMs[\s\S]*"locks"/);
    expect(wrong).not.toThrow(/S3CRET/);
  });
});
