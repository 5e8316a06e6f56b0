import { startService, type Service } from './service.js';

describe('problems and the request log', () => {
  let service: Service;

  beforeEach(async () => void (service = await startService()));
  afterEach(() => service.app.close());

  const json = { 'content-type': 'application/json' };

  it.each([
    ['an unknown route', { url: '/hunter2?token=hunter2' }, 404, '(no route)', 'http.404'],
    ['a URL that cannot be decoded', { url: '/%zz' }, 404, '(no route)', 'http.404'],
    ['an unknown car', { url: '/api/quotes?carId=hunter2' }, 404, '/api/quotes', 'quotes.car-unknown'],
    ['a query that does not fit', { url: '/api/quotes' }, 422, '/api/quotes', 'request.invalid'],
    ['a closed route', { url: '/admin/state' }, 403, '/admin/state', 'admin.closed'],
    [
      'a long parameter',
      { url: `/admin/limits/${'x'.repeat(500)}`, method: 'DELETE' },
      403,
      '/admin/limits/:subject',
      'admin.closed',
    ],
    ['no session', { url: '/accounts/me' }, 401, '/accounts/me', 'accounts.not-signed-in'],
    [
      'a body that is no JSON',
      { url: '/accounts/codes', method: 'POST', headers: json, payload: '{' },
      400,
      '/accounts/codes',
      'http.400',
    ],
    [
      'a body of 65 kB',
      { url: '/accounts/codes', method: 'POST', headers: json, payload: `"${'x'.repeat(65 * 1024)}"` },
      413,
      '/accounts/codes',
      'http.413',
    ],
  ] as const)('answers %s as a problem, and logs one line', async (_, request, status, path, errorCode) => {
    const answer = await service.app.inject(request);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json()).toMatchObject({
      status,
      errorCode,
      type: `urn:roost:error:${errorCode}`,
      title: expect.any(String),
    });
    expect(service.requestLines()).toEqual([
      expect.objectContaining({
        path,
        status,
        rl_backend: 'memory',
        rate_limit_state: 'allow',
        request_id: answer.headers['x-request-id'],
      }),
    ]);
    expect(JSON.stringify(service.lines)).not.toContain('hunter2');
    expect(service.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('logs what a limit decided', async () => {
    for (let i = 0; i < 6; i++) {
      await service.app.inject({ method: 'POST', url: '/accounts/codes', payload: { userId: 'ann' } });
    }
    expect(service.requestLines().map(({ status, rate_limit_state }) => [status, rate_limit_state])).toEqual([
      ...Array(5).fill([202, 'allow']),
      [429, 'throttle'],
    ]);
  });

  it('honours a sane request id and replaces another', async () => {
    const idFor = async (id: string) =>
      (await service.app.inject({ url: '/livez', headers: { 'x-request-id': id } })).headers['x-request-id'];
    expect(await idFor('trace-7')).toBe('trace-7');
    expect(await idFor('{"level":"error"}')).toMatch(/^[0-9a-f-]{36}$/);
    expect(service.requestLines()[0]).toMatchObject({ request_id: 'trace-7' });
  });
});
