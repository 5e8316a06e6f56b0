import fc from 'fast-check';
import { clientAddress } from './client-address.js';
import { ipv4Of, networkText, partsOf } from './ipv6.js';

describe('clientAddress', () => {
  it.each([
    ['60', '1.2.3.4', '1.2.3.4'],
    ['60', '::ffff:1.2.3.4', '1.2.3.4'],
    ['60', '::ffff:102:304', '1.2.3.4'],
    ['60', '::FFFF:1.2.3.4', '1.2.3.4'],
    ['61', '2001:db8:1:2:3::1', '2001:db8:1:2::/64'],
    ['61', '2001:db8:1:2:ffff::9', '2001:db8:1:2::/64'],
    ['61', '2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['61', '2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['62', '2001:db8:1234:5678::1.2.3.4', '2001:db8:1234:5678::/64'],
    ['60', '0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
    ['60', '0000:0000:0000:0000:0000:FFFF:0102:0304', '1.2.3.4'],
    ['60', '::ffff:255.255.255.255', '255.255.255.255'],
    ['60', '::ffff:0:1.2.3.4', '::/64'], // translated (RFC 2765), not mapped
    ['NAT64', '64:ff9b::1.2.3.4', '1.2.3.4'],
    ['NAT64', '64:ff9b::102:304', '1.2.3.4'],
    ['NAT64', '64:ff9b:1::1.2.3.4', '64:ff9b:1::/64'], // a network's own prefix (RFC 8215)
    ['62', '::1.2.3.4', '::/64'],
    ['63', '0:0:0:0:0:0:0:1', '::1'],
    ['63', '::1%lo', '::1'],
    ['63', '::1', '::1'],
    ['63', '127.0.0.1', '127.0.0.1'],
    ['63', '::ffff:127.0.0.1', '127.0.0.1'],
    ['63', 'fe80::1%eth0', 'fe80::/64'],
    ['63', 'fe80::1%eth1', 'fe80::/64'],
    ['64', undefined, 'unknown'],
    ['64', null, 'unknown'],
    ['64', '', 'unknown'],
    ['64', 'undefined', 'unknown'],
    ['64', 42, 'unknown'],
    ['64', '42', 'unknown'],
    ['64', '1.2.3.4:5678', 'unknown'],
    ['64', '0x7f.1', 'unknown'],
    ['64', '1.2.3.4, 5.6.7.8', 'unknown'],
    ['64', '9'.repeat(8_192), 'unknown'],
  ])('%s: %s is counted as %s', (_number, address, counted) => {
    expect(clientAddress(address)).toBe(counted);
  });
});

describe('clientAddress with a prefix', () => {
  it.each([
    [32, '2001:db8::/32'],
    [48, '2001:db8:1234::/48'],
    [56, '2001:db8:1234:5600::/56'],
    [64, '2001:db8:1234:5678::/64'],
    [65, '2001:db8:1234:5678:8000::/65'],
    [128, '2001:db8:1234:5678:9abc:def0:1234:5678/128'],
  ])('of %d bits', (prefix, counted) => {
    expect(clientAddress('2001:db8:1234:5678:9abc:def0:1234:5678', { prefix })).toBe(counted);
  });

  it('leaves IPv4 and loopback alone', () => {
    expect(clientAddress('1.2.3.4', { prefix: 32 })).toBe('1.2.3.4');
    expect(clientAddress('::ffff:1.2.3.4', { prefix: 32 })).toBe('1.2.3.4');
    expect(clientAddress('::1', { prefix: 32 })).toBe('::1');
  });

  it.each([-1, 129, 0.5, NaN])('refuses %p bits', (prefix) => {
    expect(() => clientAddress('1.2.3.4', { prefix })).toThrow(RangeError);
  });
});

describe('IPv6', () => {
  const group = fc.integer({ min: 0, max: 0xffff });
  const of = (each: fc.Arbitrary<number>) => fc.array(each, { minLength: 8, maxLength: 8 });
  const addresses = fc.oneof(of(group), of(fc.oneof(fc.constant(0), group))).filter((parts) => parts[0] !== 0x64);
  /** RFC 5952 by the URL standard. */
  const short = (text: string) => new URL(`http://[${text}]`).hostname.slice(1, -1);

  it('61: is read the same in whatever notation, and written in one', () => {
    fc.assert(
      fc.property(addresses, (parts) => {
        const full = parts
          .map((part) => part.toString(16).padStart(4, '0'))
          .join(':')
          .toUpperCase();
        const [high, low] = parts.slice(6) as [number, number];
        const dotted = `${full.slice(0, 29)}:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}%eth0`;
        for (const written of [full, short(full), dotted]) expect(partsOf(written)).toEqual(parts);
        expect(networkText(parts, 128)).toBe(short(full));
      }),
    );
  });

  it.each([
    '::',
    '1::',
    '::1',
    '1::8',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
    '::1.2.3.4',
    '1::1.2.3.4',
    '1:0:0:4:0:0:7:8',
  ])('61: %s', (text) => expect(networkText(partsOf(text), 128)).toBe(short(text)));

  it('60: holds IPv4 by its range', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ipv4) => {
        for (const written of [ipv4, `::ffff:${ipv4}`, short(`::ffff:${ipv4}`), `64:ff9b::${ipv4}`]) {
          expect(ipv4Of(partsOf(written))).toBe(ipv4);
        }
        expect(ipv4Of(partsOf(`::${ipv4}`))).toBeUndefined();
      }),
    );
  });
});
