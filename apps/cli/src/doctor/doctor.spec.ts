import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultProxy, freePort, makeCertificates, RedisServer, type Certificates } from '@roost/testing';
import { record, type Recording } from '../recording.js';

/** Marked, and full of the signs that URLs trip over: no output may hold any of it. */
const PASSWORD = 'S3CRET#p/w?@%1';
const ENCODED = encodeURIComponent(PASSWORD);
const STEPS = 'scheme dns tcp tls ping auth write latency version eviction persistence memory clients'.split(' ');

const everything: string[] = [];

/** For servers that say nothing; the others get all the time that a busy machine may need. */
const IMPATIENT = [{}, '--timeout', '400ms'] as const;

async function doctor(url: string | undefined, env: NodeJS.ProcessEnv = {}, ...flags: string[]): Promise<Recording> {
  const args = ['doctor', ...(url ? ['--url', url] : []), '--timeout', '10s', ...flags];
  const recording = await record(args, { env });
  everything.push(recording.all);
  return recording;
}

function lineOf({ lines, all }: Recording, step: string): string {
  return lines.find((line) => line.slice(5).startsWith(`${step} `)) ?? `(no line for ${step})\n${all}`;
}

/** The last line is the failure, and nothing follows it. */
function failureOf({ code, lines }: Recording): string {
  expect(code).toBe(1);
  expect(lines.filter((line) => line.startsWith('FAIL'))).toHaveLength(1);
  expect(lines.at(-1)).toMatch(/ -> \S/);
  return lines.at(-1)!;
}

const opened: { stop(): Promise<void> }[] = [];
/** Stops a server after the test. (`await using` needs a Symbol that Jest's globals lack on Node 20.) */
async function forThisTest<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  opened.push(server);
  return server;
}

const served: Server[] = [];
/** A TCP server that is no Redis; resolves to its port. */
async function serve(answer: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    answer(socket);
  }).listen(0, host);
  served.push(server);
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

/** Leads to another port, keeping what the client said. */
async function relay(to: number, host?: string): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  const port = await serve((socket) => {
    const beyond = connect(to, '127.0.0.1').on('error', () => socket.destroy());
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
    socket.pipe(beyond).pipe(socket);
  }, host);
  return { port, heard: () => heard };
}

describe('roost doctor', () => {
  let open: RedisServer, locked: RedisServer, encrypted: RedisServer, certificates: Certificates, dir: string;

  beforeAll(async () => {
    certificates = await makeCertificates();
    dir = await mkdtemp(join(tmpdir(), 'roost-doctor-'));
    [open, locked, encrypted] = await Promise.all([
      RedisServer.start({ appendonly: true }),
      RedisServer.start({
        password: PASSWORD,
        aclUsers: [
          `app on >${PASSWORD} ~roost:* +@all -@admin -@dangerous +info`,
          `mute on >${PASSWORD} ~* +@all -ping`,
          `reader on >${PASSWORD} ~* +@read +ping +eval`,
          `stranger on >${PASSWORD} ~other:* +@all`,
          `blind on >${PASSWORD} ~* +@all -info -config`,
        ],
      }),
      RedisServer.start({ password: PASSWORD, tls: certificates }),
    ]);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((server) => server.stop()));
  });

  afterAll(async () => {
    for (const server of served) server.close();
    await Promise.all([open.stop(), locked.stop(), encrypted.stop(), certificates.remove()]);
    await rm(dir, { recursive: true });
  });

  const as = (user: string, password = ENCODED) => `redis://${user}:${password}@127.0.0.1:${locked.port}`;

  describe('of a healthy server', () => {
    it('says every step in one line and exits 0', async () => {
      const recording = await doctor(open.url);
      expect(recording.lines.map((line) => line.slice(5, 16).trim())).toEqual(STEPS);
      // A busy machine may make PINGs slow: that is true, and no fault of this examination.
      const others = recording.lines.filter((line) => !line.includes('latency'));
      expect(others.filter((line) => !line.startsWith('ok   '))).toEqual([]);
      expect(recording.code).toBe(0);
    });

    it('takes REDIS_URL, a name, and the database number', async () => {
      const { lines, code } = await doctor(undefined, { REDIS_URL: `redis://localhost:${open.port}/2` });
      expect(lines).toContainEqual(expect.stringMatching(/^ok {3}dns +localhost is .*127\.0\.0\.1/));
      expect(lines).toContainEqual(expect.stringMatching(/^ok {3}database +database 2 selected/));
      expect(code).toBe(0);
    });

    it('marks with signs for people', async () => {
      const { lines } = await record(['doctor', '--url', open.url], { isTTY: true });
      expect(lines[0]).toMatch(/^✓ scheme/);
    });

    it('gives one JSON document on demand', async () => {
      const { lines } = await doctor(open.url, {}, '--json');
      expect(lines).toHaveLength(1);
      const { healthy, findings } = JSON.parse(lines[0]!);
      expect(healthy).toBe(true);
      expect(findings.map(({ step }: { step: string }) => step)).toEqual(STEPS);
    });

    it('leaves no key behind that does not expire', async () => {
      await doctor(open.url);
      const left = await Promise.all((await open.keys()).map((key) => open.command('PTTL', key)));
      expect(left.every((ttl) => Number(ttl) > 0)).toBe(true);
    });
  });

  describe('of the URL', () => {
    it('asks for one', async () => {
      expect(failureOf(await doctor(undefined))).toMatch(/scheme +no URL/);
    });

    it.each([
      ['http', `https://:${ENCODED}@eu1.upstash.io`, /HTTP address/],
      ['another scheme', `${PASSWORD}:6379`, /does not begin with/],
      ['a pasted command', `redis-cli -u redis://:${ENCODED}@host`, /does not begin with/],
      ['an unencoded #', 'redis://default:12#S3CRET@host:6379', /ends it early/],
      ['an unencoded /', 'redis://default:12/S3CRET@host:6379', /ends it early/],
      ['a lone %', 'redis://default:S3CRET%zz@host:6379', /cannot be used.*percent/],
      ['a word for a port', 'redis://host:S3CRET', /cannot be used/],
      ['a word for a database', 'redis://host/S3CRET', /database number/],
      ['no host', `redis://:${ENCODED}@/0`, /cannot be used|no host/],
    ])('refuses %s', async (_what, url, says) => {
      expect(failureOf(await doctor(url))).toMatch(says);
    });

    it('warns of plain text to a host that is not private', async () => {
      const recording = await doctor('redis://redis.example.invalid');
      expect(lineOf(recording, 'scheme')).toMatch(/^warn .*readable -> Use rediss/);
    });
  });

  describe('of the network', () => {
    it('tells a name that does not exist', async () => {
      expect(failureOf(await doctor(`rediss://:${ENCODED}@nowhere.invalid`))).toMatch(
        /dns +(there is no host|the name server)/,
      );
    });

    it('tells a refusal', async () => {
      expect(failureOf(await doctor(`redis://:${ENCODED}@127.0.0.1:${await freePort()}`))).toMatch(
        /tcp .*refused the connection/,
      );
    });

    it('tells a connection that nobody accepts', async () => {
      const server = await forThisTest(RedisServer.start({ args: ['--tcp-backlog', '1'] }));
      server.freeze();
      // The kernel accepts for a frozen process until its queue is full; then it is as silent as a firewall.
      const queued = Array.from({ length: 4 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
      await Promise.race(queued.map((socket) => once(socket, 'connect')));
      expect(failureOf(await doctor(server.url, ...IMPATIENT))).toMatch(
        /tcp +no TCP connection .* within 400 ms .*firewall/,
      );
      for (const socket of queued) socket.destroy();
    });

    it('tells a server that is frozen', async () => {
      const server = await forThisTest(RedisServer.start({ password: PASSWORD }));
      server.freeze();
      expect(failureOf(await doctor(server.url, ...IMPATIENT))).toMatch(
        /ping +connected, but no answer within 400 ms -> .*frozen/,
      );
      expect(failureOf(await doctor(server.url.replace('redis:', 'rediss:'), ...IMPATIENT))).toMatch(
        /tls +no TLS handshake within 400 ms/,
      );
    });

    it('tells a network that swallows everything', async () => {
      const proxy = await forThisTest(FaultProxy.start({ target: open }));
      await proxy.blackhole();
      expect(failureOf(await doctor(proxy.url, ...IMPATIENT))).toMatch(/ping +connected, but no answer within 400 ms/);
    });

    it('tells a server that goes silent in the middle', async () => {
      const port = await serve((socket) => socket.once('data', () => socket.write('+PONG\r\n')));
      expect(failureOf(await doctor(`redis://127.0.0.1:${port}`, ...IMPATIENT))).toMatch(
        /write +connected, but no answer within 400 ms/,
      );
    });

    it('tells a server that goes away in the middle', async () => {
      const port = await serve((socket) => {
        socket.once('data', () => socket.write('+PONG\r\n', () => socket.once('data', () => socket.destroy())));
      });
      expect(failureOf(await doctor(`redis://127.0.0.1:${port}`))).toMatch(/write +the connection was lost/);
    });
  });

  describe('of something that is no Redis', () => {
    it.each<[string, (socket: Socket) => void]>([
      ['an HTTP server', (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))],
      ['an echo', (socket) => socket.pipe(socket)],
    ])('does not hand the password to %s', async (_what, answer) => {
      let heard = '';
      const port = await serve((socket) => {
        socket.on('data', (chunk) => (heard += chunk));
        answer(socket);
      });
      expect(failureOf(await doctor(`redis://:${ENCODED}@127.0.0.1:${port}`))).toMatch(
        /ping +who answers there is no Redis/,
      );
      expect(heard).not.toContain('S3CRET');
    });

    it('tells who hangs up', async () => {
      const port = await serve((socket) => socket.once('data', () => socket.destroy()));
      expect(failureOf(await doctor(`redis://:${ENCODED}@127.0.0.1:${port}`))).toMatch(
        /ping +the connection was closed/,
      );
    });

    it('does not repeat a server that repeats the password', async () => {
      const port = await serve((socket) =>
        socket.on('data', (chunk) =>
          socket.write(
            String(chunk).includes('PING')
              ? '-NOAUTH Authentication required.\r\n'
              : `-ERR unknown command 'AUTH', with args beginning with: '${PASSWORD}'\r\n`,
          ),
        ),
      );
      expect(failureOf(await doctor(`redis://:${ENCODED}@127.0.0.1:${port}`))).toMatch(/auth +ERR: AUTH was refused/);
    });
  });

  describe('of TLS', () => {
    it('checks the certificate', async () => {
      expect(failureOf(await doctor(encrypted.url))).toMatch(/tls +the certificate is refused .*NODE_EXTRA_CA_CERTS/);
    });

    it('trusts the authority it is given, by REDIS_TLS too', async () => {
      const plainUrl = encrypted.url.replace('rediss:', 'redis:');
      const { code, lines } = await doctor(plainUrl, { REDIS_TLS: 'true' }, '--ca', certificates.ca);
      expect(lines).toContainEqual(
        expect.stringMatching(/^ok {3}tls +TLSv1\.\d, certificate for 127\.0\.0\.1 is valid until \d{4}-/),
      );
      expect(code).toBe(0);
    });

    it('tells a certificate of somebody else', async () => {
      const { port } = await relay(encrypted.port, '127.0.0.2');
      const recording = await doctor(`rediss://:${ENCODED}@127.0.0.2:${port}`, {}, '--ca', certificates.ca);
      expect(failureOf(recording)).toMatch(/tls +the certificate is not for 127\.0\.0\.2 -> Use the host name/);
    });

    it('tells a server without TLS', async () => {
      expect(failureOf(await doctor(open.url.replace('redis:', 'rediss:'), ...IMPATIENT))).toMatch(
        /tls +the server speaks Redis without TLS/,
      );
    });

    it('tells a server that speaks TLS only, and keeps the password from the wire', async () => {
      const { port, heard } = await relay(encrypted.port);
      const recording = await doctor(`redis://:${ENCODED}@127.0.0.1:${port}`);
      expect(failureOf(recording)).toMatch(/ping +the server speaks TLS only -> Write rediss/);
      expect(heard()).toContain('PING');
      expect(heard()).not.toContain('S3CRET');
    });
  });

  describe('of the login', () => {
    it('accepts the right password, from the URL and from a file', async () => {
      expect(lineOf(await doctor(locked.url), 'auth')).toMatch(/^ok .*password accepted/);
      const file = join(dir, 'password');
      await writeFile(file, `${PASSWORD}\n`);
      const recording = await doctor(as('default', 'outdated'), { REDIS_PASSWORD_FILE: file });
      expect(lineOf(recording, 'auth')).toMatch(/^ok .*user and password accepted/);
    });

    it('tells a file that cannot be read, without its name', async () => {
      const recording = await doctor(locked.url, { REDIS_PASSWORD_FILE: PASSWORD });
      expect(failureOf(recording)).toMatch(/scheme +the file .* cannot be read \(ENOENT\)/);
    });

    it('tells NOAUTH, WRONGPASS and NOPERM apart', async () => {
      expect(failureOf(await doctor(`redis://127.0.0.1:${locked.port}`))).toMatch(/auth +NOAUTH: .* none is set/);
      expect(failureOf(await doctor(as('app', 'S3CRET')))).toMatch(/auth +WRONGPASS/);
      expect(failureOf(await doctor(as('nobody')))).toMatch(/auth +WRONGPASS/);
      expect(failureOf(await doctor(as('mute')))).toMatch(/auth +NOPERM: .*ACL SETUSER/);
      expect(failureOf(await doctor(as('reader')))).toMatch(/write +NOPERM: .*ACL SETUSER/);
      expect(failureOf(await doctor(as('stranger')))).toMatch(/write +NOPERM/);
    });

    it('accepts the rights that it advises', async () => {
      const recording = await doctor(as('app'));
      expect(recording.code).toBe(0);
      expect(lineOf(recording, 'eviction')).toMatch(/^ok .*noeviction.*CONFIG is refused; INFO says so/);
    });

    it('goes on without INFO and CONFIG, and says so', async () => {
      const recording = await doctor(as('blind'));
      expect(lineOf(recording, 'version')).toMatch(/^warn .*INFO is refused/);
      expect(lineOf(recording, 'eviction')).toMatch(/^warn .*unknown: CONFIG is refused/);
      expect(recording.code).toBe(0);
    });

    it('warns of a password that nobody asks for, and of a user without one', async () => {
      expect(lineOf(await doctor(`redis://:${ENCODED}@127.0.0.1:${open.port}`), 'auth')).toMatch(
        /^warn .*asks for none/,
      );
      expect(lineOf(await doctor(`redis://S3CRET@127.0.0.1:${open.port}`), 'auth')).toMatch(
        /^warn .*user and no password/,
      );
    });
  });

  describe('of the server', () => {
    const withConfig = async (settings: Record<string, string>, step: string): Promise<string> => {
      const server = await forThisTest(RedisServer.start());
      for (const [name, value] of Object.entries(settings)) await server.command('CONFIG', 'SET', name, value);
      return lineOf(await doctor(server.url), step);
    };

    it('warns of eviction', async () => {
      expect(await withConfig({ 'maxmemory-policy': 'volatile-lru' }, 'eviction')).toMatch(
        /^warn .*volatile-lru.*locks/,
      );
    });

    it('warns of no persistence, and is content with snapshots', async () => {
      expect(await withConfig({}, 'persistence')).toMatch(/^warn .*none; master, 0 replicas -> .*appendonly/);
      expect(await withConfig({ save: '60 1' }, 'persistence')).toMatch(/^ok .*snapshots.*master/);
    });

    it('warns when memory or connections run out', async () => {
      expect(await withConfig({ maxmemory: '1150000', 'maxmemory-policy': 'noeviction' }, 'memory')).toMatch(
        /^warn .* of 1\.15 MB in use/,
      );
      expect(await withConfig({ maxclients: '1' }, 'clients')).toMatch(/^warn 1 of 1|^warn .*1 of 1 connections/);
    });

    it('fails on a full server and on a replica, which answer every PING', async () => {
      expect(await withConfig({ maxmemory: '1' }, 'write')).toMatch(/^FAIL .*memory is full.*OOM/);
      const replica = await forThisTest(RedisServer.start());
      await replica.command('REPLICAOF', '127.0.0.1', await freePort());
      expect(failureOf(await doctor(replica.url))).toMatch(/write +this is a replica.*READONLY/);
    });
  });

  it('has not said the password once', () => {
    const said = everything.join('\n');
    expect(everything.length).toBeGreaterThan(30);
    expect(said).not.toMatch(/S3CRET/);
    expect(said).not.toContain(ENCODED);
  });
});
