import { VERSION } from '../../src/common/config/index.js';
import { startService, type Service } from './service.js';

const TOKEN = 'an-admin-token-of-32-characters!';

describe('admin', () => {
  let service: Service;

  beforeAll(async () => void (service = await startService({ ROOST_ADMIN_TOKEN: TOKEN, ROOST_REPLICAS: '1' })));
  afterAll(() => service.app.close());

  const admin = (method: 'GET' | 'DELETE', url: string, token?: string) =>
    service.app.inject({ method, url, headers: token === undefined ? {} : { 'x-admin-token': token } });

  it('answers 401 without the right token', async () => {
    for (const token of [undefined, 'wrong', `${TOKEN}x`]) {
      const answer = await admin('GET', '/admin/state', token);
      expect([answer.statusCode, answer.json().errorCode]).toEqual([401, 'admin.token']);
    }
  });

  it('is closed, whatever is sent, without a configured token', async () => {
    const { app } = await startService();
    for (const token of ['', 'undefined', TOKEN]) {
      const answer = await app.inject({ url: '/admin/state', headers: { 'x-admin-token': token } });
      expect([answer.statusCode, answer.json().errorCode]).toEqual([403, 'admin.closed']);
    }
    await app.close();
  });

  it('shows the backend and the limits', async () => {
    const answer = await admin('GET', '/admin/state', TOKEN);
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        version: VERSION,
        uptimeSeconds: expect.any(Number),
        backend: expect.objectContaining({ mode: 'memory', current: 'memory', reason: 'configured' }),
        rateLimits: {
          mode: 'memory',
          canaryPercent: 100,
          replicas: 1,
          policies: [
            { policy: 'login.user', limit: 5, window: '1m' },
            { policy: 'login.address', limit: 100, window: '1m' },
            { policy: 'quotes', limit: 'byTier' },
          ],
          tiers: { free: '100/1h', starter: '1000/1h', pro: '10000/1h', enterprise: 'unlimited' },
        },
        cache: expect.objectContaining({ cache_hit_rate: expect.any(String), pendingInvalidations: 0 }),
        health: expect.objectContaining({ queue: expect.objectContaining({ status: 'up' }) }),
      },
    ]);
  });

  it('lets a throttled user try again', async () => {
    const tryOnce = async () =>
      (await service.app.inject({ method: 'POST', url: '/accounts/codes', payload: { userId: 'ann' } })).statusCode;
    for (let i = 0; i < 5; i++) await tryOnce();
    expect(await tryOnce()).toBe(429);
    const cleared = await admin('DELETE', '/admin/limits/ann', TOKEN);
    expect([cleared.statusCode, cleared.json()]).toEqual([200, { cleared: 1 }]);
    expect(await tryOnce()).toBe(202);
    expect((await admin('DELETE', '/admin/limits/nobody', TOKEN)).json()).toEqual({ cleared: 0 });
  });

  describe('changes rate limits at run time', () => {
    const send = async (method: 'GET' | 'PATCH' | 'DELETE', payload?: object) => {
      const headers = { 'x-admin-token': TOKEN };
      const answer = await service.app.inject({ method, url: '/admin/rate-limits', headers, payload });
      return [answer.statusCode, answer.json()];
    };
    const asConfigured = { paused: false, canaryPercent: 100, modes: {}, limits: {}, stopLoss: null };
    const quote = () => service.app.inject({ url: '/api/quotes?carId=car-1' });

    it('pauses all, and counts again', async () => {
      expect(await send('GET')).toEqual([200, asConfigured]);
      expect(await send('PATCH', { paused: true, canaryPercent: 25 })).toEqual([
        200,
        { ...asConfigured, paused: true, canaryPercent: 25 },
      ]);
      expect((await quote()).headers).not.toHaveProperty('ratelimit');
      expect((await admin('GET', '/admin/state', TOKEN)).json().rateLimits.canaryPercent).toBe(25);
      expect(await send('DELETE')).toEqual([200, asConfigured]);
      expect((await quote()).headers).toHaveProperty('ratelimit');
    });

    it('changes limits and modes', async () => {
      const change = { modes: { login: 'shadow' }, limits: { 'login.address': { limit: 50, window: '2m' } } };
      expect(await send('PATCH', change)).toEqual([
        200,
        {
          ...asConfigured,
          modes: { 'login.user': 'shadow', 'login.address': 'shadow' },
          limits: { 'login.address': { limit: 50, windowMs: 120_000 } },
        },
      ]);
      await send('DELETE');
    });

    it('81: tries a limit out without anybody noticing', async () => {
      await send('PATCH', { modes: { login: 'shadow' } });
      const payload = { userId: 'trial' };
      for (let i = 0; i < 7; i++) {
        const answer = await service.app.inject({ method: 'POST', url: '/accounts/codes', payload });
        expect(answer.statusCode).toBe(202);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
      }
      const { body } = await service.app.inject({ url: '/metrics' });
      expect(body).toContain('roost_rate_limit_would_reject_total{policy="login.user"} 2');
      await send('DELETE');
    });

    it.each([
      [{ canaryPercent: 101 }, 'canaryPercent'],
      [{ modes: { logn: 'shadow' } }, 'modes.logn'],
      [{ limits: { quotes: { limit: 1 } } }, 'limits.quotes'],
      [{ limits: { 'login.user': { limit: 1, windw: '1m' } } }, 'limits.login.user'],
      [{ modes: { login: { canary: 0.5, percent: 50 } } }, 'modes.login'],
      [{ pause: true }, ''],
    ])('answers 422 to %p', async (change, path) => {
      const [status, body] = await send('PATCH', change);
      expect([status, body.issues[0].path]).toEqual([422, path]);
    });

    it('does nothing without the token', async () => {
      const answer = await service.app.inject({
        method: 'PATCH',
        url: '/admin/rate-limits',
        payload: { paused: true },
      });
      expect(answer.statusCode).toBe(401);
    });
  });

  it('clears nothing without the token', async () => {
    expect((await admin('DELETE', '/admin/limits/ann')).statusCode).toBe(401);
  });
});

describe('health of the service', () => {
  let service: Service;

  beforeAll(async () => void (service = await startService()));
  afterAll(() => service.app.close());

  it.each(['/livez', '/readyz', '/startupz'])('answers 200 on %s', async (url) => {
    const answer = await service.app.inject({ url });
    expect([answer.statusCode, answer.json().status]).toEqual([200, 'ok']);
  });

  it('shows metrics of the limits and of the process', async () => {
    await service.app.inject({ url: '/api/quotes?carId=car-1' });
    const { body } = await service.app.inject({ url: '/metrics' });
    expect(body).toMatch(/^roost_[a-z_]+/m);
    expect(body).toMatch(/^process_cpu_seconds_total /m);
  });
});

describe('OpenAPI', () => {
  let service: Service;

  beforeAll(async () => void (service = await startService()));
  afterAll(() => service.app.close());

  it('describes every route', async () => {
    const { paths } = (await service.app.inject({ url: '/docs/openapi.json' })).json();
    const routes = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual([
      'DELETE /accounts/sessions',
      'DELETE /admin/cache',
      'DELETE /admin/limits/{subject}',
      'DELETE /admin/rate-limits',
      'GET /accounts/me',
      'GET /admin/rate-limits',
      'GET /admin/state',
      'GET /api/quotes',
      'GET /bookings',
      'GET /bookings/{id}',
      'GET /catalogue/cars',
      'GET /catalogue/cars/{id}',
      'GET /jobs/{id}',
      'GET /livez',
      'GET /metrics',
      'GET /readyz',
      'GET /startupz',
      'PATCH /admin/rate-limits',
      'PATCH /catalogue/cars/{id}',
      'POST /accounts/codes',
      'POST /accounts/sessions',
      'POST /bookings',
    ]);
  });

  it('describes bodies, queries, answers and problems', async () => {
    const { paths } = (await service.app.inject({ url: '/docs/openapi.json' })).json();
    const signIn = paths['/accounts/sessions'].post;
    expect(signIn.requestBody.content['application/json'].schema).toMatchObject({ required: ['userId', 'code'] });
    expect(signIn.responses['200'].content['application/json'].schema.properties).toEqual({
      userId: { type: 'string' },
    });
    expect(Object.keys(signIn.responses['429'].headers)).toEqual(['Retry-After', 'RateLimit', 'RateLimit-Policy']);
    expect(signIn.responses['422'].content['application/problem+json'].schema.properties).toHaveProperty('issues');
    expect(paths['/api/quotes'].get.parameters).toEqual([
      expect.objectContaining({ name: 'carId', in: 'query', required: true }),
    ]);
  });

  it('has pages for people', async () => {
    const answer = await service.app.inject({ url: '/docs' });
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
  });
});
