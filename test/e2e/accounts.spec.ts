import { eventually, RedisServer } from '@roost/testing';
import { startService, type Service } from './service.js';

describe('accounts', () => {
  let service: Service;

  beforeEach(async () => void (service = await startService()));
  afterEach(() => service.app.close());

  const post = (url: string, payload: object, remoteAddress = '10.0.0.1') =>
    service.app.inject({ method: 'POST', url, payload, remoteAddress });
  const requestCode = (userId: string, address?: string) => post('/accounts/codes', { userId }, address);
  const signIn = (userId: string, code: string) => post('/accounts/sessions', { userId, code });
  const withCookie = (method: 'GET' | 'DELETE', url: string, cookie: string) =>
    service.app.inject({ method, url, headers: { cookie } });

  it('signs in with a code, once, and out again', async () => {
    const issued = await requestCode('ann');
    expect([issued.statusCode, issued.json()]).toEqual([202, { code: expect.stringMatching(/^\d{6}$/) }]);

    const signedIn = await signIn('ann', issued.json().code);
    expect([signedIn.statusCode, signedIn.json()]).toEqual([200, { userId: 'ann' }]);
    const cookie = String(signedIn.headers['set-cookie']);
    expect(cookie).toMatch(/^sid=[\w-]{43}; /);
    for (const part of ['HttpOnly', 'SameSite=Lax', 'Path=/', 'Max-Age=86400']) expect(cookie).toContain(part);
    expect(cookie).not.toContain('Secure');

    const sid = cookie.split(';')[0]!;
    const me = await withCookie('GET', '/accounts/me', sid);
    expect([me.statusCode, me.json()]).toEqual([200, { userId: 'ann' }]);
    expect((await signIn('ann', issued.json().code)).statusCode).toBe(401);

    const out = await withCookie('DELETE', '/accounts/sessions', sid);
    expect([out.statusCode, out.body]).toEqual([204, '']);
    expect(String(out.headers['set-cookie'])).toMatch(/^sid=; /);
    expect((await withCookie('GET', '/accounts/me', sid)).statusCode).toBe(401);
  });

  it('knows nobody without a session, and lets nobody sign out without harm', async () => {
    for (const cookie of ['', 'sid=', 'sid=guess', 'other=1']) {
      const me = await withCookie('GET', '/accounts/me', cookie);
      expect([me.statusCode, me.json().errorCode]).toEqual([401, 'accounts.not-signed-in']);
      expect((await withCookie('DELETE', '/accounts/sessions', cookie)).statusCode).toBe(204);
    }
  });

  it('ends the session that a browser had when it signs in again', async () => {
    const cookies: string[] = [];
    for (const userId of ['ann', 'bob']) {
      const { code } = (await requestCode(userId)).json();
      const headers = { cookie: cookies.at(-1) ?? '' };
      const payload = { userId, code };
      const answer = await service.app.inject({ method: 'POST', url: '/accounts/sessions', payload, headers });
      cookies.push(String(answer.headers['set-cookie']).split(';')[0]!);
    }
    const statuses = cookies.map(async (cookie) => (await withCookie('GET', '/accounts/me', cookie)).statusCode);
    expect(await Promise.all(statuses)).toEqual([401, 200]);
  });

  it.each(['\ud800', 'a\u0000b', 'a\u001fb', ' ', 'x'.repeat(129)])('knows nobody called %j', async (userId) => {
    expect((await requestCode(userId)).statusCode).toBe(422);
    expect((await signIn(userId, '123456')).statusCode).toBe(422);
  });

  it('refuses a wrong code with a problem', async () => {
    const { code } = (await requestCode('ann')).json();
    const answer = await signIn('ann', code === '000000' ? '000001' : '000000');
    expect([answer.statusCode, answer.json().errorCode]).toEqual([401, 'accounts.code-rejected']);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('throttles the sixth try of a user in a minute, on both routes together', async () => {
    const { code } = (await requestCode('ann')).json();
    const statuses = [202];
    for (let i = 0; i < 2; i++) statuses.push((await requestCode('bob')).statusCode); // somebody else
    for (let i = 0; i < 3; i++) statuses.push((await requestCode('ann')).statusCode);
    statuses.push((await signIn('ann', code)).statusCode);
    expect(statuses).toEqual([202, 202, 202, 202, 202, 202, 401]); // the first code is void: new ones were issued

    const sixth = await signIn('ann', code);
    expect(sixth.statusCode).toBe(429);
    expect(sixth.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(sixth.json()).toMatchObject({
      status: 429,
      errorCode: 'throttle.exceeded',
      'violated-policies': ['login.user'],
    });
    const [wait, ...others] = [sixth.headers['retry-after']].flat().map(Number);
    expect(others).toEqual([]);
    expect(wait).toBeGreaterThan(50); // 5 in any minute: not before the first of them is a minute old
    expect(wait).toBeLessThanOrEqual(60);
    expect(sixth.headers['ratelimit-policy']).toBe('"login.user";q=5;w=60, "login.address";q=100;w=60');
    expect(sixth.headers.ratelimit).toContain('"login.user";r=0');

    expect((await requestCode('ann', '10.9.9.9')).statusCode).toBe(429); // from elsewhere as well
    expect((await requestCode('bob')).statusCode).toBe(202);
  });

  it('throttles the 101st try of an address in a minute, whoever it claims to be', async () => {
    for (let i = 0; i < 100; i++) expect((await requestCode(`user-${i}`)).statusCode).toBe(202);
    const answer = await requestCode('user-100');
    expect([answer.statusCode, answer.json()['violated-policies']]).toEqual([429, ['login.address']]);
    expect((await requestCode('user-100', '10.0.0.2')).statusCode).toBe(202);
  });

  it('answers and logs a refused address before the pipeline as within it', async () => {
    const checked = async () =>
      /check_duration_seconds_count\{.*\} (\d+)/.exec((await service.app.inject('/metrics')).body)?.[1];
    let [byGuard, early, checksBefore] = [await requestCode('ann'), await requestCode('ann'), await checked()];
    // A place comes back each 600 ms: the pair may have to be tried again on a slow machine.
    for (let i = 0; i < 500 && (byGuard.statusCode !== 429 || early.statusCode !== 429); i++) {
      byGuard = await requestCode(`user-${i}`);
      checksBefore = byGuard.statusCode === 429 ? await checked() : undefined;
      early = await requestCode(`user-${i}`);
    }
    expect(await checked()).toBe(checksBefore);
    const told = ({ statusCode, body, headers: { date: _date, 'x-request-id': _id, ...headers } }: typeof early) => ({
      statusCode,
      body,
      headers,
    });
    expect(told(early)).toEqual(told(byGuard));
    const [line, earlyLine] = service
      .requestLines()
      .filter(({ status }) => status === 429)
      .slice(-2);
    const logged = { path: '/accounts/codes', status: 429, rate_limit_state: 'throttle', rl_backend: 'memory' };
    expect([line, earlyLine]).toEqual([expect.objectContaining(logged), expect.objectContaining(logged)]);
  });

  it('counts who names no user by address', async () => {
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push((await post('/accounts/codes', {})).statusCode);
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429]);
  });

  it('lists what is wrong with a body', async () => {
    const answer = await post('/accounts/sessions', { userId: ' ', code: '12345' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({
      errorCode: 'request.invalid',
      issues: [{ path: 'userId' }, { path: 'code' }],
    });
  });
});

describe('accounts in production', () => {
  it('shows no code and makes cookies Secure', async () => {
    const { app } = await startService({ NODE_ENV: 'production' });
    const issued = await app.inject({ method: 'POST', url: '/accounts/codes', payload: { userId: 'ann' } });
    expect([issued.statusCode, issued.json()]).toEqual([202, {}]);
    const out = await app.inject({ method: 'DELETE', url: '/accounts/sessions' });
    expect(String(out.headers['set-cookie'])).toContain('Secure');
    await app.close();
  });
});

describe('accounts on two instances', () => {
  let redis: RedisServer;
  let [here, there]: Service[] = [];

  beforeAll(async () => {
    redis = await RedisServer.start();
    const env = { REDIS_URL: redis.url, ROOST_BACKEND: 'auto', ROOST_RECHECK_MS: '200', QUEUE_BACKEND: 'memory' };
    [here, there] = [await startService(env), await startService(env)];
  });
  afterAll(async () => {
    await Promise.all([here?.app.close(), there?.app.close()]);
    await redis.stop();
  });

  const post = (service: Service, url: string, payload: object) => service.app.inject({ method: 'POST', url, payload });
  const me = async (service: Service, cookie: string) =>
    (await service.app.inject({ url: '/accounts/me', headers: { cookie } })).statusCode;
  const signIn = async (userId: string) => {
    const { code } = (await post(here!, '/accounts/codes', { userId })).json();
    const answer = await post(there!, '/accounts/sessions', { userId, code });
    return String(answer.headers['set-cookie']).split(';')[0]!;
  };

  it('are the same: a code, a session and a log-out of one count on the other', async () => {
    const cookie = await signIn('ann');
    expect([await me(here!, cookie), await me(there!, cookie)]).toEqual([200, 200]);
    await here!.app.inject({ method: 'DELETE', url: '/accounts/sessions', headers: { cookie } });
    expect([await me(here!, cookie), await me(there!, cookie)]).toEqual([401, 401]);
  });

  it('keep who is signed in while Redis is lost, and sign nobody in', async () => {
    const cookie = await signIn('bob');
    expect(await me(here!, cookie)).toBe(200);
    await redis.kill();
    expect(await me(here!, cookie)).toBe(200);
    const refused = await post(here!, '/accounts/codes', { userId: 'bob' });
    expect([refused.statusCode, refused.json().errorCode]).toEqual([503, 'session.unavailable']);
    await redis.restart();
    let asked = 0; // each by somebody else: who asks again and again is refused for that
    const signsIn = async () =>
      (await post(here!, '/accounts/codes', { userId: `cleo-${asked++}` })).statusCode === 202;
    await eventually(signsIn, { within: 5_000, every: 100 });
  });
});
