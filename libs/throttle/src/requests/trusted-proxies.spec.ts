import { TrustedProxies, type RequestHeaders } from './trusted-proxies.js';
import type { ProxyOptions } from '../throttle.options.js';

function clientOf(options: ProxyOptions, peer: string | undefined, headers: RequestHeaders) {
  const problems: string[] = [];
  const proxies = new TrustedProxies(options, problems);
  expect(problems).toEqual([]);
  return proxies.clientOf(peer, headers);
}

const xff = (value: string | string[]): RequestHeaders => ({ 'x-forwarded-for': value });
const forwarded = (value: string | string[]): RequestHeaders => ({ forwarded: value });
const LOCAL = { cidrs: ['loopback', '10.0.0.0/8', 'fd00::/8'] };

describe('hops', () => {
  it.each([
    [0, '127.0.0.1'],
    [1, '1.2.3.4'],
    [2, '9.9.9.9'],
    [3, '9.9.9.9'],
  ])('65: %d', (hops, client) => {
    expect(clientOf({ hops }, '127.0.0.1', xff('9.9.9.9, 1.2.3.4'))).toBe(client);
    expect(clientOf({ hops }, '127.0.0.1', xff(['9.9.9.9', '1.2.3.4']))).toBe(client);
    expect(clientOf({ hops }, '127.0.0.1', forwarded('for=9.9.9.9;proto=https, for="1.2.3.4:80"'))).toBe(client);
  });

  it('65: nothing that a client adds changes who it is', () => {
    for (const made of ['6.6.6.6', '6.6.6.6, 10.0.0.1', '"', 'for="', '\\', ',,,', ' ', '6.6.6.6"']) {
      expect(clientOf({ hops: 1 }, '127.0.0.1', xff(`${made}, 1.2.3.4`))).toBe('1.2.3.4');
      expect(clientOf({ hops: 1 }, '127.0.0.1', forwarded(`${made}, for=1.2.3.4`))).toBe('1.2.3.4');
    }
  });

  it('works over a socket that has no address (a Unix one), and without a header', () => {
    expect(clientOf({ hops: 1 }, undefined, xff('1.2.3.4'))).toBe('1.2.3.4');
    expect(clientOf({ hops: 1 }, '127.0.0.1', {})).toBe('127.0.0.1');
    expect(clientOf({ hops: 1 }, undefined, {})).toBeUndefined();
  });
});

describe('cidrs', () => {
  it.each(['127.0.0.1', '::ffff:127.0.0.1', '::1', '10.1.2.3', '::ffff:a01:203', 'fd00::7'])(
    '66: believes %s, which it trusts',
    (peer) => expect(clientOf(LOCAL, peer, xff('9.9.9.9, 1.2.3.4'))).toBe('1.2.3.4'),
  );

  it.each(['11.0.0.1', '::ffff:11.0.0.1', 'fe80::1', '8.8.8.8', '', 'junk', undefined])(
    '66: takes %s, which it does not trust, for itself',
    (peer) => expect(clientOf(LOCAL, peer, xff('9.9.9.9, 1.2.3.4'))).toBe(peer),
  );

  it('walks over all proxies, to the first stranger', () => {
    expect(clientOf(LOCAL, '127.0.0.1', xff('6.6.6.6, 1.2.3.4, 10.0.0.2, ::ffff:10.0.0.1'))).toBe('1.2.3.4');
    expect(clientOf(LOCAL, '127.0.0.1', xff('10.0.0.3, 10.0.0.2'))).toBe('10.0.0.3'); // an internal client
  });

  it('takes single addresses, mapped networks and names', () => {
    expect(clientOf({ cidrs: ['10.0.0.1'] }, '10.0.0.1', xff('1.2.3.4'))).toBe('1.2.3.4');
    expect(clientOf({ cidrs: ['10.0.0.1'] }, '10.0.0.2', xff('1.2.3.4'))).toBe('10.0.0.2');
    expect(clientOf({ cidrs: ['::ffff:10.0.0.0/104'] }, '10.9.9.9', xff('1.2.3.4'))).toBe('1.2.3.4');
    expect(clientOf({ cidrs: ['private', 'cloudflare'] }, '192.168.0.1', xff('1.2.3.4, 172.64.0.1'))).toBe('1.2.3.4');
  });
});

describe('68: values that are no plain address', () => {
  it.each([
    ['1.2.3.4:5678', '1.2.3.4'],
    ['"1.2.3.4:5678"', '1.2.3.4'],
    ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['  1.2.3.4  ', '1.2.3.4'],
    ['9.9.9.9,1.2.3.4', '1.2.3.4'],
    ['unknown', '127.0.0.1'],
    ['_hidden', '127.0.0.1'],
    ['', '127.0.0.1'],
    [',', '127.0.0.1'],
    ['9.9.9.9,', '127.0.0.1'],
    ['1.2.3', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['1.2.3.4:port', '127.0.0.1'],
    ['1.2.3.4:123456', '127.0.0.1'],
    ['[1.2.3.4]', '127.0.0.1'],
    ['[2001:db8::1', '127.0.0.1'],
    ['"1.2.3.4', '127.0.0.1'],
    ['a.example', '127.0.0.1'],
  ])('X-Forwarded-For: %s', (value, client) => {
    expect(clientOf({ hops: 1 }, '127.0.0.1', xff(value))).toBe(client);
  });

  it.each([
    ['for=1.2.3.4', '1.2.3.4'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for="[2001:db8::1]:_obf.port"', '2001:db8::1'],
    ['proto=https;by=203.0.113.43;FOR=1.2.3.4', '1.2.3.4'],
    ['host="a,for=6.6.6.6";for=1.2.3.4', '1.2.3.4'],
    ['host="a;for=6.6.6.6;b=";for=1.2.3.4', '1.2.3.4'],
    ['host="a\\",for=6.6.6.6";for=1.2.3.4', '1.2.3.4'],
    ['for=9.9.9.9,for=1.2.3.4;proto=http', '1.2.3.4'],
    ['for=unknown', '127.0.0.1'],
    ['for=_hidden', '127.0.0.1'],
    ['for="_SEVKISEK"', '127.0.0.1'],
    ['for=1.2.3.4;for=6.6.6.6', '127.0.0.1'],
    ['by=1.2.3.4', '127.0.0.1'],
    ['1.2.3.4', '127.0.0.1'],
    ['for', '127.0.0.1'],
    ['for="1.2.3.4', '127.0.0.1'],
    ['', '127.0.0.1'],
  ])('Forwarded: %s', (value, client) => {
    expect(clientOf({ hops: 1 }, '127.0.0.1', forwarded(value))).toBe(client);
  });

  it('stop the walk at the last good hop', () => {
    expect(clientOf(LOCAL, '127.0.0.1', xff('6.6.6.6, unknown, 10.0.0.2'))).toBe('10.0.0.2');
    expect(clientOf({ hops: 5 }, '127.0.0.1', xff('6.6.6.6, _hidden, 1.2.3.4, 10.0.0.2'))).toBe('1.2.3.4');
  });

  it.each([
    ['no comma', 'x'.repeat(8_192)],
    ['commas', ','.repeat(8_192)],
    ['quotes', '"'.repeat(8_191)],
    ['escapes', `"${'\\'.repeat(8_190)}"`],
    ['alternating', '\\",'.repeat(2_700)],
    ['digits', '1'.repeat(8_192)],
    ['brackets', '['.repeat(8_192)],
    ['pairs', 'a=b;'.repeat(2_048)],
    ['addresses', '10.0.0.9,'.repeat(900)],
    ['nothing readable', Buffer.from(Array.from({ length: 8_192 }, (_, index) => index % 256)).toString('latin1')],
  ])('8 KB of %s are junk that takes no time', (_what, junk) => {
    for (const headers of [xff(junk), forwarded(junk)]) {
      expect(clientOf({ hops: 2 }, '127.0.0.1', headers)).toBe('127.0.0.1');
    }
    const before = process.cpuUsage();
    for (let round = 0; round < 100; round++) {
      clientOf(LOCAL, '127.0.0.1', xff(`${junk}, 10.0.0.2`));
      clientOf(LOCAL, '127.0.0.1', forwarded(`${junk}, for=10.0.0.2`));
    }
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(500); // 2.5 ms each would be a way to stall the service
    expect(clientOf(LOCAL, '127.0.0.1', xff(`${junk}, 10.0.0.2`))).toBe('10.0.0.2');
  });

  it('a thousand proxies are not walked', () => {
    const chain = Array.from({ length: 1_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`).join(', ');
    expect(clientOf(LOCAL, '127.0.0.1', xff(chain))).toBe('10.0.3.200'); // the 32nd from the right
  });
});

describe('which header', () => {
  const both = { ...xff('1.2.3.4'), ...forwarded('for=5.6.7.8') };

  it('is X-Forwarded-For when both came, and Forwarded where that is missing', () => {
    expect(clientOf({ hops: 1 }, '127.0.0.1', both)).toBe('1.2.3.4');
    expect(clientOf({ hops: 1 }, '127.0.0.1', forwarded('for=5.6.7.8'))).toBe('5.6.7.8');
  });

  it('is the only one, when said', () => {
    expect(clientOf({ hops: 1, header: 'forwarded' }, '127.0.0.1', both)).toBe('5.6.7.8');
    expect(clientOf({ ...LOCAL, header: 'forwarded' }, '127.0.0.1', xff('1.2.3.4'))).toBe('127.0.0.1');
    expect(clientOf({ ...LOCAL, header: 'x-forwarded-for' }, '127.0.0.1', forwarded('for=5.6.7.8'))).toBe('127.0.0.1');
  });
});

describe('presets', () => {
  const spoofed = { ...xff('6.6.6.6, 7.7.7.7, 8.8.8.8'), 'cf-connecting-ip': '1.2.3.4' };

  it('cloudflare: CF-Connecting-IP, from its networks only', () => {
    for (const peer of ['172.64.0.1', '::ffff:104.27.255.255', '2606:4700::1', '2a06:98c7:ffff::1']) {
      expect(clientOf('cloudflare', peer, spoofed)).toBe('1.2.3.4');
    }
    for (const peer of ['104.28.0.0', '10.0.0.1', '127.0.0.1', '2a06:98c8::1']) {
      expect(clientOf('cloudflare', peer, spoofed)).toBe(peer);
    }
    expect(clientOf('cloudflare', '172.64.0.1', { 'cf-connecting-ip': '2001:db8::1' })).toBe('2001:db8::1');
    expect(clientOf('cloudflare', '172.64.0.1', { 'cf-connecting-ip': 'junk' })).toBe('172.64.0.1');
    expect(clientOf('cloudflare', '172.64.0.1', xff('6.6.6.6'))).toBe('172.64.0.1');
  });

  it('aws-alb: the last address, from private peers only', () => {
    expect(clientOf('aws-alb', '10.0.3.7', spoofed)).toBe('8.8.8.8');
    expect(clientOf('aws-alb', '10.0.3.7', xff('6.6.6.6, 8.8.8.8:51234'))).toBe('8.8.8.8');
    expect(clientOf('aws-alb', '100.64.0.9', spoofed)).toBe('8.8.8.8');
    expect(clientOf('aws-alb', '52.1.2.3', spoofed)).toBe('52.1.2.3');
    expect(clientOf('aws-alb', '10.0.3.7', forwarded('for=6.6.6.6'))).toBe('10.0.3.7');
  });

  it('gcp: the last but one, from Google Front Ends and private peers only', () => {
    for (const peer of ['35.191.0.1', '130.211.3.255', '10.128.0.5', '2600:2d00:1:1::5']) {
      expect(clientOf('gcp', peer, spoofed)).toBe('7.7.7.7');
    }
    // On Cloud Run without a load balancer the last but one is what the client made up.
    for (const peer of ['169.254.169.126', '34.1.2.3']) expect(clientOf('gcp', peer, spoofed)).toBe(peer);
  });
});

describe('wrong options', () => {
  const problemsOf = (options: unknown) => {
    const problems: string[] = [];
    new TrustedProxies(options as ProxyOptions, problems);
    return problems.join('\n');
  };

  it.each([
    [{ hops: -1 }, /`proxy\.hops`.*0 to 32.*-1/],
    [{ hops: 1.5 }, /1\.5/],
    [{ hops: '1' }, /"1"/],
    [{ hops: 33 }, /33/],
    [{ cidrs: [] }, /at least one network, got \[\]/],
    [{ cidrs: '10.0.0.0/8' }, /list of at least one network/],
    [{ cidrs: ['10.0.0.0/33'] }, /`proxy\.cidrs`.*10\.0\.0\.0\/33/],
    [{ cidrs: ['10.0.0/8'] }, /10\.0\.0\/8/],
    [{ cidrs: ['10.0.0.0/8/8'] }, /8\/8/],
    [{ cidrs: ['fe80::1%eth0/64'] }, /eth0/],
    [{ cidrs: ['2001:db8::/129'] }, /129/],
    [{ cidrs: ['intranet'] }, /intranet/],
    [{ cidrs: ['toString'] }, /toString/],
    [{ cidrs: [7] }, /7/],
    [{ cidrs: ['0.0.0.0/0'] }, /not everybody/],
    [{ cidrs: ['::/0'] }, /not everybody/],
    [{ cidrs: ['::ffff:0.0.0.0/96'] }, /not everybody/],
    [{ cidrs: ['::/80'] }, /not everybody/],
    [{ hops: 1, cidrs: ['10.0.0.0/8'] }, /\{ hops \}, \{ cidrs \}/],
    [{ hops: 1, trust: true }, /\{ hops \}/],
    [{ hops: 1, header: 'x-real-ip' }, /proxy\.header.*x-real-ip/],
    [{}, /got \{\}/],
    ['fastly', /'cloudflare' or 'aws-alb' or 'gcp'.*fastly/],
    [true, /true/],
    [null, /null/],
    [1, /1/],
  ])('%j', (options, problem) => expect(problemsOf(options)).toMatch(problem));

  it('are named all at once', () => {
    expect(problemsOf({ cidrs: ['a', 'b', '10.0.0.0/8'] }).split('\n')).toHaveLength(2);
  });
});
