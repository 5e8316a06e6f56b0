import { proxyOf } from './throttle.options.js';

describe('proxyOf', () => {
  it.each([
    [undefined, undefined],
    ['0', { hops: 0 }],
    ['2', { hops: 2 }],
    ['cloudflare', 'cloudflare'],
    ['10.0.0.0/8', { cidrs: ['10.0.0.0/8'] }],
    ['10.0.0.0/8,fd00::/8', { cidrs: ['10.0.0.0/8', 'fd00::/8'] }],
  ])('reads %j', (text, proxy) => expect(proxyOf(text)).toEqual(proxy));
});
