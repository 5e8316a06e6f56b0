import { getJobsToken, type JobQueue } from '@roost/queue';
import { eventually, MailServer } from '@roost/testing';
import { startService, type Service } from './service.js';

const TOKEN = 'an-admin-token-of-32-characters!';
const asAdmin = { 'x-admin-token': TOKEN };

describe('jobs of the service', () => {
  let mail: MailServer;
  let service: Service;

  beforeAll(async () => {
    mail = await MailServer.start();
    service = await startService({ ROOST_ADMIN_TOKEN: TOKEN, SMTP_URL: mail.url, MAIL_DESK: 'desk@here.example' });
    await get('/bookings?carId=car-1'); // the database in memory is opened by the first who needs it
  }, 60_000);
  afterAll(async () => {
    await service.app.close();
    await mail.stop();
  });

  const get = (url: string, headers = {}) => service.app.inject({ url, headers });
  const put = (url: string, headers = {}) => service.app.inject({ method: 'PUT', url, headers });
  const book = (payload: object) => service.app.inject({ method: 'POST', url: '/bookings', payload });
  const stateOf = async (id: string) => (await get(`/jobs/${id}`)).json().state as string;
  const inState = (id: string, state: string) =>
    eventually(async () => (await stateOf(id)) === state, { within: 5_000 });

  it('writes to whoever booked, and tells what became of it', async () => {
    const made = await book({ carId: 'car-1', from: '2026-06-10', to: '2026-06-12', email: 'ann@there.example' });
    expect([made.statusCode, made.json()]).toEqual([201, { id: expect.any(String), jobId: expect.any(String) }]);
    const { id, jobId } = made.json();
    await inState(jobId, 'completed');
    const answer = await get(`/jobs/${jobId}`);
    const messageId = `<booking-${id}@roost.example>`;
    expect([answer.statusCode, answer.json()]).toEqual([200, { state: 'completed', result: { messageId } }]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(mail.mails.map(({ text }) => text)).toEqual([expect.stringContaining(`Message-ID: ${messageId}`)]);
    for (const text of ['To: ann@there.example', 'Subject: Your booking of car-1, 2026-06-10 to 2026-06-12']) {
      expect(mail.mails[0]!.text).toContain(text);
    }
  });

  it('writes to nobody about a booking that was not made', async () => {
    const payload = { carId: 'car-2', from: '2026-06-10', to: '2026-06-12' };
    const { jobId } = (await book(payload)).json();
    expect((await book({ ...payload, email: 'bob@there.example' })).statusCode).toBe(409);
    expect((await book({ ...payload, email: 'no address' })).statusCode).toBe(422);
    await inState(jobId, 'completed');
    expect(mail.mails.at(-1)!.text).toContain('To: desk@here.example');
    expect(mail.mails.map(({ text }) => text).join('')).not.toContain('bob@there.example');
  });

  it('books while the mail server refuses, tries the e-mail again, and logs nobody’s address', async () => {
    mail.refuses = true;
    const sent = mail.mails.length;
    const made = await book({ carId: 'car-3', from: '2026-06-10', to: '2026-06-12', email: 'eve@there.example' });
    expect(made.statusCode).toBe(201);
    const { jobId } = made.json();
    await inState(jobId, 'delayed');
    const job = `/admin/queues/api/queues/emails/${jobId}`;
    expect((await get(job, asAdmin)).json().job.failedReason).toBe(
      'The mail server (SMTP_URL) did not take an e-mail: EENVELOPE 451 at RCPT TO.',
    );
    mail.refuses = false;
    expect((await put(`${job}/promote`)).statusCode).toBe(401);
    expect(await stateOf(jobId)).toBe('delayed');
    expect((await put(`${job}/promote`, asAdmin)).statusCode).toBe(204);
    await inState(jobId, 'completed');
    expect(mail.mails).toHaveLength(sent + 1);
    expect(JSON.stringify(service.lines)).not.toContain('@there.example');
  });

  it('sends the digest at 08:00, of the day before', async () => {
    const { schedulers } = (await get('/admin/queues/api/job-schedulers', asAdmin)).json();
    expect(schedulers).toEqual([expect.objectContaining({ name: 'digest', pattern: '0 8 * * *', tz: 'UTC' })]);
    const { id } = await service.app.get<JobQueue>(getJobsToken('emails')).add('digest');
    await inState(id, 'completed');
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    expect(mail.mails.at(-1)!.text).toContain(`Subject: Bookings made on ${yesterday}: 0`);
  });

  it.each([
    ['that is not', '00000000-0000-4000-8000-000000000000'],
    ['with a letter that no database takes', '%00'],
    ['with a long id', 'x'.repeat(400)],
    ['that is a statement', "'%20OR%201=1"],
  ])('answers 404 to a job %s', async (_, id) => {
    const answer = await get(`/jobs/${id}`);
    expect([answer.statusCode, answer.json().errorCode]).toEqual([404, 'job.unknown']);
  });

  it('tells of its queues in /readyz, in /admin/state and in /metrics', async () => {
    expect((await get('/readyz')).json().details.queue).toMatchObject({
      status: 'up',
      workers: 1,
      failed: 0,
      stalled: 0,
    });
    const { health } = (await get('/admin/state', asAdmin)).json();
    expect(health.queue).toMatchObject({ backends: ['memory'], outbox: { waiting: 0, dead: 0 } });
    const { body } = await get('/metrics');
    expect(body).toContain('roost_queue_added_total');
    expect(body).toContain('roost_queue_oldest_waiting_seconds{queue="emails"} 0');
  });

  it('describes its route', async () => {
    const { paths } = (await get('/docs/openapi.json')).json();
    const { parameters, responses } = paths['/jobs/{id}'].get;
    expect(parameters).toEqual([expect.objectContaining({ name: 'id', in: 'path', required: true })]);
    expect(Object.keys(responses)).toEqual(['200', '404', '503']);
    const { schema } = responses['200'].content['application/json'];
    expect(schema.properties.state.enum).toEqual(['waiting', 'delayed', 'active', 'completed', 'failed']);
    const made = paths['/bookings'].post.responses['201'].content['application/json'].schema;
    expect(made.required).toEqual(['id', 'jobId']);
  });

  describe('the board', () => {
    it('is a page, with an interface behind it, for who has the token', async () => {
      const page = await get('/admin/queues', asAdmin);
      expect([page.statusCode, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
      const script = /(static\/js\/[\w.-]+\.js)/.exec(page.body)?.[1];
      expect((await get(`/admin/queues/${script}`, asAdmin)).statusCode).toBe(200);
      const password = `Basic ${Buffer.from(`anybody:${TOKEN}`).toString('base64')}`;
      const { queues } = (await get('/admin/queues/api/queues', { authorization: password })).json();
      expect(queues).toEqual([expect.objectContaining({ name: 'emails' })]);
    });

    it.each([
      '/admin/queues',
      '/admin/queues/',
      '/admin/queues?x=1',
      '/admin/queues/api/queues',
      '/admin/queues/nowhere',
      '/admin/queues/static/js/x.js',
      '/admin/%71ueues',
      '/%61dmin/queues/api/queues',
      '/admin/queues/%61pi/queues',
    ])('answers 401 to %s without the token, and asks for a password', async (url) => {
      for (const headers of [{}, { 'x-admin-token': 'wrong' }, { authorization: 'Basic OnVuZGVmaW5lZA==' }]) {
        const answer = await get(url, headers);
        expect([answer.statusCode, answer.json().errorCode]).toEqual([401, 'admin.token']);
        expect(answer.headers).toMatchObject({
          'content-type': 'application/problem+json; charset=utf-8',
          'www-authenticate': 'Basic realm="admin", charset="UTF-8"',
          'x-frame-options': 'DENY',
        });
      }
    });

    it.each(['/admin//queues', '//admin/queues', '/ADMIN/queues', '/admin%2Fqueues', '/admin/queues%2Fapi/queues'])(
      'is not at %s',
      async (url) => expect((await get(url)).statusCode).toBe(404),
    );

    it('takes no password that a browser sends for another site', async () => {
      const authorization = `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`;
      const pause = (site: string) =>
        put('/admin/queues/api/queues/emails/resume', { authorization, 'sec-fetch-site': site });
      expect((await pause('cross-site')).statusCode).toBe(401);
      expect((await pause('same-site')).statusCode).toBe(401);
      expect((await pause('same-origin')).statusCode).toBe(200);
    });
  });
});

describe('a service with little configured', () => {
  let service: Service;

  afterEach(() => service.app.close());

  it('has a closed board without an admin token, whatever is sent', async () => {
    const { app } = (service = await startService({ ROLE: 'web' }));
    for (const headers of [{}, { 'x-admin-token': 'undefined' }, { authorization: 'Basic eDp1bmRlZmluZWQ=' }]) {
      for (const url of ['/admin/queues', '/admin/queues/api/queues', '/admin/%71ueues']) {
        const answer = await app.inject({ url, headers });
        expect([answer.statusCode, answer.json().errorCode]).toEqual([403, 'admin.closed']);
        expect(answer.headers).not.toHaveProperty('www-authenticate');
      }
    }
  });

  it('answers nothing but probes as a worker, and warns that nobody else sees its jobs', async () => {
    const { app, lines } = (service = await startService({ ROLE: 'worker', ROOST_ADMIN_TOKEN: TOKEN }));
    for (const url of ['/livez', '/readyz?x=1', '/startupz', '/metrics']) {
      expect((await app.inject({ url })).statusCode).toBe(200);
    }
    for (const url of ['/bookings?carId=car-1', '/admin/queues', '/admin/state', '/docs', '/%6Civez', '//livez']) {
      const answer = await app.inject({ url, headers: asAdmin });
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([
        404,
        expect.stringContaining('problem+json'),
      ]);
    }
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', event: 'jobs.alone', role: 'worker' }));
  });

  it('leaves jobs to others as the web', async () => {
    const { app, lines } = (service = await startService({ ROLE: 'web' }));
    const { id } = await app.get<JobQueue>(getJobsToken('emails')).add('digest');
    expect((await app.inject({ url: `/jobs/${id}` })).json()).toEqual({ state: 'waiting' });
    expect((await app.inject({ url: '/readyz' })).json().details.queue.workers).toBe(0);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', event: 'jobs.alone', role: 'web' }));
  });
});
