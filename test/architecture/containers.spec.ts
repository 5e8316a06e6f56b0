import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'yaml';
import { exists, read } from './tree.js';

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** The instructions of the Dockerfile, one list per stage; continued lines joined. */
const stages: Instruction[][] = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split(/^(?=FROM )/m)
  .map((stage) => [...stage.matchAll(/^([A-Z]+) (.*)$/gm)].map(([, name = '', rest = '']) => ({ name, rest })));
const runtime = stages.at(-1) ?? [];
const only = (name: string): string => runtime.filter((instruction) => instruction.name === name).at(-1)?.rest ?? '';

describe('the image', () => {
  it('is built in stages, all from one base', () => {
    expect(stages.length).toBeGreaterThan(1);
    const bases = stages.map(([from]) => from?.rest.split(' ')[0]);
    expect(new Set(bases)).toEqual(new Set(['node:22-bookworm-slim']));
  });

  it('runs as a user without rights, in production', () => {
    expect(only('USER')).toBe('node');
    expect(only('ENV')).toContain('NODE_ENV=production');
    const names = runtime.map(({ name }) => name);
    expect(names.slice(names.lastIndexOf('USER'))).not.toContain('RUN');
  });

  it('starts node itself, so that SIGTERM arrives', () => {
    expect(JSON.parse(only('CMD'))).toEqual(['node', 'dist/main.js']);
    expect(only('ENTRYPOINT')).toBe('');
  });

  it('is healthy when /livez answers 200, which never asks Redis', async () => {
    const [, command = '[]'] = only('HEALTHCHECK').split(' CMD ');
    const [program, ...args] = JSON.parse(command) as string[];
    expect(program).toBe('node');
    let status = 200;
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/livez' ? status : 404).end();
    }).listen(0, '127.0.0.1');
    server.unref(); // a failed expectation must not keep Jest alive
    await once(server, 'listening');
    const env = { PORT: String((server.address() as AddressInfo).port) };
    const exitCode = async (): Promise<unknown> => (await once(spawn(process.execPath, args, { env }), 'exit'))[0];

    expect(await exitCode()).toBe(0);
    status = 500;
    expect(await exitCode()).toBe(1);
    server.close();
    expect(await exitCode()).toBe(1);
  });

  it('copies what exists', () => {
    const copies = stages.flat().filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from='));
    expect(copies.flatMap(({ rest }) => rest.split(' ').slice(0, -1)).filter((source) => !exists(source))).toEqual([]);
  });

  it('holds what node_modules/@roost links to', () => {
    const copied = runtime.filter(({ name }) => name === 'COPY').map(({ rest }) => rest);
    for (const folder of ['node_modules', 'libs', 'apps', 'dist']) {
      expect(copied).toContain(`--from=build /app/${folder} ${folder}`);
    }
  });

  it('takes neither secrets nor builds of this machine along', () => {
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(
      expect.arrayContaining(['.env', '.git', '.data', '**/node_modules', '**/dist', '**/*.tsbuildinfo']),
    );
  });
});

describe('docker-compose.yml', () => {
  interface Service {
    readonly image?: string;
    readonly build?: string;
    readonly command?: string[];
    readonly environment?: Record<string, string>;
    readonly ports?: string[];
    readonly healthcheck?: { test: string[] };
    readonly depends_on?: Record<string, { condition: string }>;
    readonly stop_grace_period?: string;
  }
  const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<'redis' | 'postgres' | 'service' | 'worker', Service>;
  };

  it('keeps what Redis holds: appended to a file, never evicted', () => {
    expect(services.redis.command?.join(' ')).toBe('redis-server --appendonly yes --maxmemory-policy noeviction');
  });

  it('starts the service when both stores answer', () => {
    expect(services.redis.healthcheck?.test).toContain('ping');
    expect(services.postgres.healthcheck?.test).toContain('pg_isready');
    expect(services.service.depends_on).toEqual({
      redis: { condition: 'service_healthy' },
      postgres: { condition: 'service_healthy' },
    });
  });

  it('connects the service to them, by their names in the network', () => {
    expect(services.service.build).toBe('.');
    expect(services.service.environment).toMatchObject({
      REDIS_URL: 'redis://redis:6379',
      DATABASE_URL: expect.stringMatching(/@postgres:5432\/roost$/) as string,
    });
  });

  it('runs the jobs in a worker, of the same image and with the same stores, whose probes the image asks', () => {
    const { service, worker } = services;
    expect(service.environment?.['ROLE']).toBe('web');
    expect(worker).toMatchObject({ build: '.', command: ['node', 'apps/worker/dist/main.js'], ports: [] });
    expect(worker.environment).toEqual({ ...service.environment, ROLE: 'worker', PORT: 3000 });
    expect(worker.depends_on).toEqual(service.depends_on);
    expect(exists('apps/worker/src/main.ts')).toBe(true);
  });

  it('gives the service and its worker time to drain', () => {
    for (const { stop_grace_period: grace = '0' } of [services.service, services.worker]) {
      expect(Number.parseInt(grace, 10)).toBeGreaterThanOrEqual(30);
    }
  });

  it('shows the stores to this machine alone', () => {
    for (const { ports = [] } of [services.redis, services.postgres]) {
      expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    }
  });
});
