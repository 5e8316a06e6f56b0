import { limitKey, LimitKeys, subjectDigest, throttleKeys } from './rate-limit.keys.js';

describe('limitKey', () => {
  const subjects = [
    'user',
    'user*',
    'user}',
    '{user',
    'us:er',
    'us\ner',
    'ü',
    '\ud800',
    'x'.repeat(1_000_000),
    '1.2.3.4',
  ];

  it('58: no subject changes the structure or length of a key, or meets another', () => {
    const keys = subjects.map((subject) => limitKey('gcra', 'login', subjectDigest('user', subject)).name);
    expect(new Set(keys).size).toBe(subjects.length);
    for (const key of keys) expect(key).toMatch(/^\{rate\}:rate:gcra:login:[\w-]{22}$/);
  });

  it('59: names that look alike when joined are different keys', () => {
    const names = [
      ['A-b', 'c'],
      ['A', 'b-c'],
      ['A:b', 'c'],
      ['A', 'b:c'],
      ['A.b', 'c'],
    ] as const;
    expect(new Set(names.map(([policy, subject]) => limitKey('gcra', policy, subject).name)).size).toBe(names.length);
  });

  it('keeps users, addresses and API keys of one spelling apart', () => {
    const kinds = ['ip', 'user', 'apiKey', 'custom'] as const;
    expect(new Set(kinds.map((kind) => subjectDigest(kind, '1.2.3.4'))).size).toBe(4);
  });

  it('puts all limits into one slot, and who a subject is cannot be read', () => {
    const key = limitKey('fixed-window', 'login', subjectDigest('user', 'alice@example.org'));
    expect([key.slot, key.name.includes('alice')]).toEqual(['rate', false]);
    expect(throttleKeys.map(({ template }) => template)).toEqual([
      '{rate}:rate:gcra:{policy}:{subject}',
      '{rate}:rate:fixed-window:{policy}:{subject}',
      '{rate}:rate:sliding-window:{policy}:{subject}',
      '{rate}:rate:sliding-log:{policy}:{subject}',
      '{rate}:rate:concurrency:{policy}:{subject}',
      '{rate}:rate:calendar:{policy}:{subject}',
      '{rate}:rate:violations:{policy}:{subject}',
    ]);
  });
});

describe('LimitKeys', () => {
  it.each(['login', 'login.user', 'a b:{c}~', '~'.repeat(128), '"'.repeat(128)])(
    'makes the keys of limitKey for %s',
    (policy) => {
      for (const algorithm of ['gcra', 'fixed-window'] as const) {
        const keys = new LimitKeys(algorithm, policy);
        for (const subject of ['alice', '1.2.3.4', '', 'x'.repeat(1_000)]) {
          const digest = subjectDigest('user', subject);
          expect(keys.of(digest)).toEqual(limitKey(algorithm, policy, digest));
        }
      }
    },
  );
});
