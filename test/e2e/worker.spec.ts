import { eventually, PostgresServer, RedisServer, ServiceProcess } from '@roost/testing';

const web = 'dist/main.js';
const worker = 'apps/worker/dist/main.js';

describe('the service as two processes', () => {
  let redis: RedisServer;
  let postgres: PostgresServer;
  const processes: ServiceProcess[] = [];

  beforeAll(async () => {
    [redis, postgres] = await Promise.all([RedisServer.start(), PostgresServer.start()]);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(processes.map((each) => each.stop(0)));
    await Promise.all([redis.stop(), postgres.stop()]);
  });

  const start = async (entry: string, env: Record<string, string> = {}) => {
    const servers = { REDIS_URL: redis.url, DATABASE_URL: postgres.url };
    const settings = {
      NODE_ENV: 'production',
      ROOST_DRAIN_MS: '0',
      CATALOGUE_WARM_UP: 'false',
      ROOST_RECHECK_MS: '200',
    };
    const service = await ServiceProcess.start({ entry, env: { ...servers, ...settings, ...env } });
    processes.push(service);
    return service;
  };
  const book = async (carId: string): Promise<{ status: number; jobId: string }> => {
    const body = JSON.stringify({ carId, from: '2026-06-10', to: '2026-06-12' });
    const headers = { 'content-type': 'application/json' };
    const answer = await processes[0]!.fetch('/bookings', { method: 'POST', headers, body });
    return { status: answer.status, jobId: ((await answer.json()) as { jobId: string }).jobId };
  };
  const jobOf = async (id: string) => {
    const answer = await processes[0]!.fetch(`/jobs/${id}`, { signal: AbortSignal.timeout(3_000) });
    return [answer.status, ((await answer.json()) as { state?: string }).state] as const;
  };
  const written = (service: ServiceProcess) => service.logs.filter(({ event }) => event === 'email.written').length;

  it('keeps jobs until there is a worker, which answers probes alone', async () => {
    const service = await start(web, { ROLE: 'web' });
    const { status, jobId } = await book('car-1');
    expect([status, await jobOf(jobId)]).toEqual([201, [200, 'waiting']]);

    const helper = await start(worker, { ROLE: 'web' }); // what it is, it knows better
    await eventually(async () => (await jobOf(jobId))[1] === 'completed', { within: 5_000 });
    expect([written(service), written(helper)]).toEqual([0, 1]);
    expect((await helper.fetch('/bookings?carId=car-1')).status).toBe(404);
    expect((await helper.fetch('/livez')).status).toBe(200);
  }, 30_000);

  it('books without Redis, answers at once who asks for the job, and writes when Redis is back', async () => {
    await redis.kill();
    const booked = await Promise.all(['car-2', 'car-3', 'car-4'].map(book));
    expect(booked.map(({ status }) => status)).toEqual([201, 201, 201]);
    for (const { jobId } of booked) {
      expect([
        [503, undefined],
        [200, 'waiting'],
      ]).toContainEqual(await jobOf(jobId));
    }
    await redis.restart();
    for (const { jobId } of booked) {
      await eventually(async () => (await jobOf(jobId))[1] === 'completed', { within: 10_000 });
    }
    expect(written(processes[1]!)).toBe(4);
  }, 30_000);

  it('says 503, and not that it has a bug, who asks for a job while neither store can tell', async () => {
    await postgres.kill();
    expect(await jobOf('00000000-0000-4000-8000-000000000000')).toEqual([503, undefined]);
    await postgres.restart();
    const gone = async () => (await jobOf('00000000-0000-4000-8000-000000000000'))[0] === 404;
    await eventually(gone, { within: 10_000 });
  }, 30_000);

  it('ends with 0 on SIGTERM, both of them', async () => {
    const ends = await Promise.all(processes.map((each) => each.stop()));
    expect(ends).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    const errors = processes.flatMap(({ logs }) =>
      logs.filter(({ level, context }) => level === 'error' && context !== 'Redis'),
    );
    expect(errors).toEqual([]);
  });
});
