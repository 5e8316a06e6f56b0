import { resolvePolicy } from './http-cache.policy.js';
import type { CacheRequest, CacheResponseOptions } from './http-cache.options.js';
import { keyOf } from './request-key.js';

function key(request: Partial<CacheRequest>, options: CacheResponseOptions = {}): unknown {
  const policy = resolvePolicy(options, 'Cars.list', '2');
  return keyOf(policy, { method: 'GET', url: '/cars', headers: {}, host: 'Example.com:80', ...request });
}

const bypass = (forward: string) => expect.objectContaining({ forward, because: expect.any(String) });

describe('the key of a request', () => {
  it('has route, version, method, host, path and query', () => {
    expect(key({ url: '/cars?city=Delft' })).toBe('http:Cars.list@2 GET example.com:80 /cars?city=Delft');
    expect(key({ method: 'HEAD' })).toBe(key({}));
    expect(key({ baseUrl: '/app' })).not.toBe(key({}));
    expect(key({ host: 'example.org' })).not.toBe(key({}));
  });

  it('54: counts a parameter by its name, however it is written', () => {
    const query = { allow: ['filter[brand]'] };
    const url = (text: string) => key({ url: `/cars?${text}` }, { query });
    expect(url('filter%5Bbrand%5D=bmw')).not.toBe(url('filter%5Bbrand%5D=audi'));
    expect(url('filter%5Bbrand%5D=bmw&page=1')).toBe(url('filter%5Bbrand%5D=bmw'));
    expect(url('%ff=1')).toBe(url(''));
  });

  it('54: is none where servers do not agree on the query', () => {
    const query = { ignore: ['utm_*'] };
    expect(key({ url: '/cars?utm_a=x#&page=2' }, { query })).toEqual(bypass('bypass'));
  });

  it('54: is the same for two spellings of one query, and no other', () => {
    const url = (query: string) => key({ url: `/cars?${query}` });
    expect(url('a=1&b=2')).toBe(url('b=2&a=1'));
    expect(url('%61=%c3%a9')).toBe(url('a=%C3%A9'));
    expect(url('a=1&a=2')).not.toBe(url('a=2&a=1'));
    expect(url('a=1%26b=2')).not.toBe(url('a=1&b=2'));
    expect(url('a=1&&')).toBe(url('a=1'));
    // One name in two spellings: handlers see which value came first.
    expect(url('a%20b=2&a+b=1')).not.toBe(url('a+b=1&a%20b=2'));
    expect(url('')).toBe(key({}));
    expect(url('a')).not.toBe(url('b'));
    expect(key({ url: '/c%61rs' })).toBe(key({}));
    expect(key({ url: '/cars%2F1' })).not.toBe(key({ url: '/cars/1' }));
  });

  it('54: counts the parameters that it is told to', () => {
    const query = { allow: ['city', 'page*'], ignore: ['pageless'] };
    const plain = key({ url: '/cars?city=a' }, { query });
    expect(key({ url: '/cars?x=1&city=a&pageless=1&utm_source=b' }, { query })).toBe(plain);
    expect(key({ url: '/cars?city=a&page2=1' }, { query })).not.toBe(plain);
    expect(key({ url: '/cars?utm_x=1' }, { query: { ignore: ['utm_*'] } })).toBe(key({}, {}));
  });

  it('cannot be made to look like another by what a client sends', () => {
    const vary = ['accept-language', 'x-theme'];
    const of = (language: string, theme: string) =>
      key({ headers: { 'accept-language': language, 'x-theme': theme } }, { vary });
    expect(of('a b', 'c')).not.toBe(of('a', 'b c'));
    expect(of('', 'a')).not.toBe(of('a', ''));
    expect(key({ host: 'a /b' })).not.toBe(key({ host: 'a', url: '/b' }));
    expect(key({ url: 'http://example.com/cars' })).toEqual(bypass('bypass'));
    const by = (id: string) => key({}, { varyBy: () => id });
    expect(by('a by=b')).not.toBe(by('a'));
    expect(by('a')).not.toBe(key({}));
  });

  it('49: is none where credentials are not accounted for', () => {
    for (const name of ['authorization', 'cookie', 'x-api-key']) {
      expect(key({ headers: { [name]: 'a' } })).toEqual(bypass('bypass'));
      expect(key({ headers: { [name]: 'a' } }, { scope: 'public' })).toBe(key({}));
    }
    expect(key({ user: { id: 1 } })).toEqual(bypass('bypass'));
    expect(key({}, { varyBy: () => undefined })).toEqual(bypass('bypass'));
    expect(key({}, { varyBy: () => '' })).toEqual(bypass('bypass'));
  });

  it('50: is none for methods that are not named, and has the body of a POST', () => {
    expect(key({ method: 'POST' })).toEqual(bypass('method'));
    expect(key({ method: 'HEAD' }, { methods: ['POST'] })).toEqual(bypass('method'));
    const post = (body: unknown) => key({ method: 'POST', body }, { methods: ['POST'] });
    expect(post({ a: 1, b: [1] })).toBe(post({ b: [1], a: 1 }));
    expect(new Set([post({}), post('{}'), post(Buffer.from('{}')), post(undefined), post([])]).size).toBe(5);
    expect(post(new Map())).toEqual(bypass('bypass'));
  });

  it('is that of the option where there is one', () => {
    const options = { key: ({ url }: CacheRequest) => url.slice(0, 2) };
    expect(key({ url: '/cars' }, options)).toBe(key({ url: '/cats' }, options));
    expect(key({ headers: { range: 'bytes=0-' } })).toEqual(bypass('bypass'));
  });
});
