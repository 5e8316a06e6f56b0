import { isLocal, isLoopback, isPrivateHost } from './address.js';

describe('addresses', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1'])('%s stays on this machine', (address) => {
    expect(isLoopback(address)).toBe(true);
  });

  it.each(['128.0.0.1', '10.0.0.1', '::2', 'localhost', '127.0.0.1.example.org', ''])('%j may leave it', (address) => {
    expect(isLoopback(address)).toBe(false);
  });

  it('counts localhost as this machine', () => {
    expect([isLocal('localhost'), isLocal('localhost.example.org')]).toEqual([true, false]);
  });

  it.each(['10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1', 'fe80::1', 'redis', 'red-abc.internal'])(
    '%s is private',
    (host) => expect(isPrivateHost(host)).toBe(true),
  );

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2001:db8::1', 'redis.example.org', 'internal.example.org'])(
    '%s is public',
    (host) => expect(isPrivateHost(host)).toBe(false),
  );
});
