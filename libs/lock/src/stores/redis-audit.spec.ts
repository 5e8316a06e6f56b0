import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule } from '@roost/redis';
import { eventually, RedisServer, type RedisServerOptions } from '@roost/testing';
import { auditRedis } from './redis-audit.js';

describe('auditRedis', () => {
  const servers: RedisServer[] = [];
  const apps: TestingModule[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  async function start(options?: RedisServerOptions): Promise<RedisServer> {
    servers.push(await RedisServer.start(options));
    return servers.at(-1)!;
  }

  async function audit(url: string, options: { quarantineMs?: number; splitBrainMs?: number } = {}) {
    const app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url, commandTimeoutMs: 2_000 })] })
      .setLogger({ log() {}, warn() {}, error() {} })
      .compile();
    apps.push(app);
    await app.init();
    const { commands } = app.get(RedisConnections).get().dedicated('locks');
    return auditRedis(commands, { quarantineMs: 60_000, splitBrainMs: 0, ...options });
  }

  it('a plain Redis survives what a quarantine survives', async () => {
    const { url } = await start();
    expect(await audit(url)).toEqual({ assurance: 'lease+quarantine', warnings: [], problems: [] });
    expect(await audit(url, { quarantineMs: 0 })).toMatchObject({ assurance: 'lease', problems: [] });
  });

  it.each(['volatile-lru', 'volatile-ttl', 'allkeys-lru', 'allkeys-random'])(
    '19: a Redis that may evict locks by %s assures nothing',
    async (policy) => {
      const { url } = await start({ args: ['--maxmemory', '50mb', '--maxmemory-policy', policy] });
      const { assurance, warnings, problems } = await audit(url);
      expect(assurance).toBe('none');
      expect(problems).toEqual([expect.stringMatching(new RegExp(`^EVICTION_POLICY.*${policy}.*52428800`))]);
      expect(warnings).toEqual(problems);
    },
  );

  it('19: a policy that never comes into force does no harm, nor does a limit without eviction', async () => {
    const idle = await start({ args: ['--maxmemory-policy', 'volatile-lru'] });
    expect(await audit(idle.url)).toMatchObject({ assurance: 'lease+quarantine', problems: [] });
    const strict = await start({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'noeviction'] });
    expect(await audit(strict.url)).toMatchObject({ assurance: 'lease+quarantine', problems: [] });
  });

  it('with replicas an isolated primary is survived only when it stops writing, and the quarantine is as long', async () => {
    const primary = await start({ args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await start({ args: ['--replicaof', `127.0.0.1 ${primary.port}`] });
    await eventually(async () => String(await replica.command('ROLE')).includes('connected'), { within: 10_000 });
    expect(await audit(primary.url, { splitBrainMs: 10_000 })).toMatchObject({
      assurance: 'lease+quarantine',
      warnings: [expect.stringMatching(/^SPLIT_BRAIN.*min-replicas-to-write/)],
    });
    await primary.command('CONFIG', 'SET', 'min-replicas-to-write', 1);
    expect(await audit(primary.url, { splitBrainMs: 10_000 })).toEqual({
      assurance: 'lease+majority',
      warnings: [],
      problems: [],
    });
    expect(await audit(primary.url)).toMatchObject({
      assurance: 'lease+quarantine',
      warnings: [expect.stringContaining('Set `splitBrain`')],
    });
    expect(await audit(replica.url)).toMatchObject({
      assurance: 'none',
      problems: [expect.stringMatching(/^READ_ONLY/)],
    });
  });

  it('a user who may not ask for the replication id gets a lease', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined); // the client says so, too
    const server = await start({ aclUsers: ['shy on >secret ~* &* +@all -info'] });
    expect(await audit(server.url.replace('redis://', 'redis://shy:secret@'))).toMatchObject({
      assurance: 'lease',
      warnings: [expect.stringMatching(/^NO_REPLICATION_ID/)],
      problems: [],
    });
    warn.mockRestore();
  });
});
