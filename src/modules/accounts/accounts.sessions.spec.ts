import { readConfig } from '../../common/config/index.js';
import { pepperWarning, sessionIdIn, sessionOptions } from './accounts.sessions.js';

const at = (env: Record<string, string>) => readConfig({ NODE_ENV: 'production', ...env });
const pepper = (env: Record<string, string>) => sessionOptions(at(env)).pepper;

describe('the pepper of one-time codes', () => {
  it('is the same for instances that know Redis by different names', () => {
    const [one, other] = ['127.0.0.1', 'redis.svc'].map((host) =>
      pepper({ REDIS_URL: `redis://u:secret@${host}:6379` }),
    );
    expect(one).toBe(other);
    expect(pepper({ REDIS_URL: 'redis://u:another@127.0.0.1:6379' })).not.toBe(one);
    expect(one).not.toContain('secret');
  });

  it('is not made of what is no secret, and says so in production', () => {
    const open = { REDIS_URL: 'redis://localhost:6379', DATABASE_URL: 'postgres://user@host/db' };
    expect(sessionOptions(at(open))).toMatchObject({ pepper: undefined, production: false });
    expect(pepperWarning(at(open))).toMatch(/whoever reads Redis can sign in as anybody/);
    expect(pepperWarning(at({ ...open, ROOST_ADMIN_TOKEN: 'a-long-admin-token' }))).toMatch(/void when one is changed/);
    const set = { ...open, SESSION_PEPPER: 'a pepper that all instances have' };
    expect([pepperWarning(at(set)), pepper(set)]).toEqual([undefined, 'a pepper that all instances have']);
    expect(pepperWarning(at({}))).toBeUndefined();
  });
});

it.each(['sid=abc', 'a=1; sid=abc; b=2', 'sid="abc"', 'sid =abc', 'sid=abc; sid=other'])(
  'the session of %s is found',
  (cookie) => expect(sessionIdIn({ cookie })).toBe('abc'),
);

it.each([undefined, '', 'xsid=abc', 'sid'])('there is no session in %s', (cookie) => {
  expect(sessionIdIn({ cookie })).toBeUndefined();
});
