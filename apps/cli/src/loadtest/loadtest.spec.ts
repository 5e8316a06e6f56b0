import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@roost/testing';
import { record, type Recording } from '../recording.js';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

interface Service {
  readonly server: Server;
  readonly url: string;
  /** Requests of the load, without those for the backend. */
  readonly requests: IncomingMessage[];
}

const services: Service[] = [];

/** A service of the spec: answers the load as told, and says which backend decides. */
async function serve(answer: Handler, backend: () => string = () => 'redis'): Promise<Service> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/readyz') {
      response.end(JSON.stringify({ status: 'ok', details: { redis: { status: 'up', current: backend() } } }));
    } else if (request.url === '/admin/state') {
      response.statusCode = request.headers['x-admin-token'] === 'S3CRET' ? 200 : 404;
      response.end(JSON.stringify({ rateLimits: { backend: 'memory' } }));
    } else {
      answer(request, response, requests.push(request));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service = { server, requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  services.push(service);
  return service;
}

/** 100 requests in half a second. A busy machine is no failure of the service: latency is judged by the specs about it. */
function load(url: string, flags: string[] = [], cli: Parameters<typeof record>[1] = {}): Promise<Recording> {
  const small = [
    '--base',
    '100/s',
    '--target',
    '2x',
    '--duration',
    '500ms',
    '--timeout',
    '20s',
    '--keys',
    '7',
    '--max-p95',
    '20s',
  ];
  return record(['loadtest', '--url', url, ...small, ...flags], cli);
}

const failed = ({ lines }: Recording) =>
  lines.filter((line) => line.startsWith('FAIL')).map((line) => line.replace(/^FAIL +(.+?) {2,}.*/, '$1'));

const ok: Handler = (_request, response) => void response.end('{}');
const statusEvery =
  (nth: number, status: number): Handler =>
  (_request, response, count) => {
    response.statusCode = count % nth === 0 ? status : 200;
    response.end('{}');
  };

describe('roost loadtest', () => {
  afterEach(() => {
    for (const { server } of services.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it('passes a service that keeps to everything', async () => {
    const service = await serve(ok);
    const recording = await load(service.url);
    expect(failed(recording)).toEqual([]);
    expect(recording.lines.filter((line) => line.startsWith('PASS'))).toHaveLength(5);
    expect(recording.code).toBe(0);
    expect(service.requests).toHaveLength(100);
    expect(recording.all).toMatch(/requests +100 in 0\.5 s/);
    expect(recording.all).toMatch(/statuses +200: 100/);
    expect(new Set(service.requests.map(({ headers }) => headers['x-api-key'])).size).toBe(7);
    expect(service.requests[0]!.url).toBe('/api/quotes?carId=car-1');
  });

  it('fails a slow service', async () => {
    const service = await serve((_request, response) => void setTimeout(() => response.end(), 130));
    const recording = await load(service.url, ['--connections', '64', '--max-p95', '120ms']);
    expect(failed(recording)).toEqual(['p95 latency']);
    expect(recording.code).toBe(1);
  });

  it('charges a stall to everyone who would have waited', async () => {
    // One request of a hundred is slow; measured from the moment of sending, p95 would be some 2 ms.
    const service = await serve(
      (_request, response, count) => void setTimeout(() => response.end(), count === 1 ? 300 : 0),
    );
    const recording = await load(service.url, ['--connections', '1', '--max-p95', '120ms']);
    expect(failed(recording)).toEqual(['p95 latency']);
    expect(recording.all).toMatch(/latency .*p95 [2-9]\d\d ms/);
  });

  it('admits that it was late itself', async () => {
    const service = await serve((_request, response, count) => {
      const until = performance.now() + (count === 50 ? 100 : 0);
      while (performance.now() < until); // this service lives in the process that measures
      response.end();
    });
    expect((await load(service.url, ['--max-p95', '10ms'])).all).toMatch(/This process was late itself, by up to \d/);
  });

  it('fails a service that fails', async () => {
    expect(failed(await load((await serve(statusEvery(20, 503))).url))).toEqual(['5xx, no answer']);
  });

  it('fails a service that limits legitimate traffic', async () => {
    const recording = await load((await serve(statusEvery(50, 429))).url);
    expect(failed(recording)).toEqual(['429']);
    expect(recording.all).toMatch(/429 2\.00 %/);
  });

  it('fails a run against the wrong path', async () => {
    expect(failed(await load((await serve(statusEvery(1, 404))).url))).toEqual(['other statuses']);
  });

  it('counts a service that dies midway as failing', async () => {
    const service = await serve((_request, response, count) => {
      if (count < 50) return void response.end('{}');
      service.server.close();
      service.server.closeAllConnections();
    });
    const recording = await load(service.url);
    expect(failed(recording)).toEqual(['5xx, no answer']);
    const [, unanswered] = /requests +100 in .*, (\d+) without an answer/.exec(recording.all)!;
    expect(Number(unanswered)).toBeGreaterThanOrEqual(51);
  });

  it('ends against a service that accepts and never answers', async () => {
    const service = await serve(() => {});
    const recording = await load(service.url, ['--timeout', '200ms', '--connections', '4']);
    expect(failed(recording)).toEqual(['p95 latency', '5xx, no answer']);
    expect(recording.all).toMatch(/100 without an answer/);
  });

  it('asks once more when an idle connection was closed under it', async () => {
    const service = await serve((request, response, count) => {
      if (count === 10) return void request.socket.destroy();
      response.end('{}');
    });
    const recording = await load(service.url, ['--connections', '1']);
    expect(failed(recording)).toEqual([]);
    expect(recording.all).toMatch(/requests +100 in .*, 0 without/);
  });

  describe('which backend decides', () => {
    it('fails a service on its fallback', async () => {
      const service = await serve(ok, () => 'memory');
      const recording = await load(service.url);
      expect(failed(recording)).toEqual(['backend']);
      expect(recording.all).toMatch(/FAIL +backend +memory +only redis/);
      expect((await load(service.url, ['--expect-backend', 'memory'])).code).toBe(0);
    });

    it('fails a service that changed to its fallback during the run', async () => {
      let backend = 'redis';
      const service = await serve(
        (_request, response, count) => {
          if (count === 50) backend = 'memory';
          response.end('{}');
        },
        () => backend,
      );
      expect((await load(service.url)).all).toMatch(/FAIL +backend +memory, redis/);
    });

    it('asks /admin/state with a token, and never says the token', async () => {
      const { all } = await load((await serve(ok)).url, [], { env: { ROOST_ADMIN_TOKEN: 'S3CRET' } });
      expect(all).toMatch(/FAIL +backend +memory, redis/);
      expect(all).not.toContain('S3CRET');
    });

    it('fails when nobody says, unless any will do', async () => {
      const service = await serve(ok, () => '?');
      expect((await load(service.url)).all).toMatch(/FAIL +backend +not shown/);
      expect((await load(service.url, ['--expect-backend', 'any'])).code).toBe(0);
    });
  });

  it('says so when nobody listens', async () => {
    const { code, errors, lines } = await load(`http://127.0.0.1:${await freePort()}`);
    expect([code, lines]).toEqual([1, []]);
    expect(errors.join()).toMatch(/Nothing answers at http:\/\/127\.0\.0\.1:\d+\. Start the service/);
  });

  it('prints the result so far when interrupted, and does not call it passed', async () => {
    const interrupt = new AbortController();
    const service = await serve((_request, response, count) => {
      if (count === 30) interrupt.abort();
      if (count < 30) response.end('{}');
    });
    const recording = await load(service.url, ['--duration', '1h'], { interruption: () => interrupt.signal });
    expect(recording.code).toBe(1);
    expect(recording.all).toMatch(/Interrupted after 0 s/);
    const [, requests] = /requests +(\d+) in .*, 0 without an answer/.exec(recording.all)!;
    expect(Number(requests)).toBeGreaterThan(0);
    expect(Number(requests)).toBeLessThan(30);
    expect(service.requests.length).toBeLessThan(50);
    expect(failed(recording)).toEqual([]);
  });
});
