import { readFileSync } from 'node:fs';
import { envExample, InvalidConfigError, readConfig, VERSION } from './index.js';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    return (error as InvalidConfigError).problems;
  }
  return [];
}

describe('config', () => {
  it('starts on a bare machine: every variable has a default or may be missing', () => {
    expect(readConfig({})).toEqual({
      NODE_ENV: 'development',
      PORT: 3000,
      REDIS_TLS: false,
      ROOST_BACKEND: 'auto',
      RATE_LIMIT_CANARY_PERCENT: 100,
      QUEUE_BACKEND: 'auto',
      MAIL_FROM: 'rental@roost.example',
      MAIL_DESK: 'desk@roost.example',
      ROLE: 'all',
      CATALOGUE_ORIGIN_DELAY_MS: 300,
      ROOST_RECHECK_MS: 5000,
      ROOST_COMMAND_TIMEOUT_MS: 250,
      ROOST_KEY_PREFIX: 'roost',
      ROOST_REPLICAS: 1,
    });
  });

  it.each(['0', '32', 'cloudflare', 'aws-alb', 'gcp', '10.0.0.1', '::1', '10.0.0.0/8,fd00::/8'])(
    'takes %s for proxies',
    (ROOST_PROXY) => expect(readConfig({ ROOST_PROXY })).toMatchObject({ ROOST_PROXY }),
  );

  it.each(['postgres://u:p@host:5432/db?sslmode=require', 'postgresql://host/db', 'memory:'])(
    'takes %s for a database',
    (DATABASE_URL) => expect(readConfig({ DATABASE_URL })).toMatchObject({ DATABASE_URL }),
  );

  it('takes an empty variable as unset', () => {
    expect(readConfig({ REDIS_URL: '', PORT: '', ROOST_ADMIN_TOKEN: '' })).toEqual(readConfig({}));
  });

  it('reads numbers and flags', () => {
    const env = { PORT: '0', REDIS_TLS: 'true', RATE_LIMIT_CANARY_PERCENT: '12.5', ROOST_RECHECK_MS: '300000' };
    expect(readConfig(env)).toMatchObject({
      PORT: 0,
      REDIS_TLS: true,
      RATE_LIMIT_CANARY_PERCENT: 12.5,
      ROOST_RECHECK_MS: 300_000,
    });
  });

  it('names all problems at once: variable, what it got, what it expects', () => {
    expect(problemsOf({ PORT: '70000', ROOST_BACKEND: 'disk', REDIS_TLS: 'yes' })).toEqual([
      'PORT: expected it to be a port from 0 to 65535, got `70000`',
      'REDIS_TLS: expected it to be `true` or `false`, got `yes`',
      'ROOST_BACKEND: expected it to be `auto`, `redis` or `memory`, got `disk`',
    ]);
  });

  it.each([
    ['PORT', '-1'],
    ['PORT', '3000x'],
    ['PORT', '80.5'],
    ['REDIS_URL', 'http://localhost'],
    ['REDIS_URL', 'localhost:6379'],
    ['RATE_LIMIT_BACKEND', 'Redis'],
    ['LOCK_BACKEND', 'postgres'],
    ['CACHE_BACKEND', 'disk'],
    ['CATALOGUE_ORIGIN_DELAY_MS', '10001'],
    ['CATALOGUE_WARM_UP', 'yes'],
    ['DATABASE_URL', 'mysql://localhost/roost'],
    ['DATABASE_URL', 'localhost:5432'],
    ['DATABASE_URL', 'postgres://'],
    ['DATABASE_URL', 'memory'],
    ['RATE_LIMIT_CANARY_PERCENT', '100.1'],
    ['RATE_LIMIT_CANARY_PERCENT', 'NaN'],
    ['ROOST_RECHECK_MS', '0'],
    ['ROOST_RECHECK_MS', '300001'],
    ['ROOST_KEY_PREFIX', 'a:b'],
    ['ROOST_KEY_PREFIX', '{slot}'],
    ['ROOST_REPLICAS', '0'],
    ['ROOST_PROXY', 'true'],
    ['ROOST_PROXY', '33'],
    ['ROOST_PROXY', '1.5'],
    ['ROOST_PROXY', '1,2'],
    ['ROOST_PROXY', 'AWS-ALB'],
    ['ROOST_PROXY', '10.0.0.0/33'],
    ['ROOST_PROXY', 'fd00::/129'],
    ['ROOST_PROXY', '10.0.0.0/8/8'],
    ['ROOST_PROXY', '10.0.0.0/8,'],
    ['ROOST_PROXY', '300.1.1.1'],
    ['ROOST_PROXY', 'fe80::1%eth0'],
    ['ROOST_ADMIN_TOKEN', 'two words'],
    ['NODE_ENV', 'prod'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(`^${name}: `)]);
  });

  it('refuses ways to Redis that are not there yet, without showing their values', () => {
    const text = problemsOf({ REDIS_CLUSTER_NODES: 'a:1,b:2', UPSTASH_REDIS_REST_TOKEN: 'hunter2' }).join();
    expect(text).toMatch(/REDIS_CLUSTER_NODES: not supported yet.*UPSTASH_REDIS_REST_TOKEN: not supported yet/);
    expect(text).not.toContain('hunter2');
  });

  it('never shows the value of a secret', () => {
    const env = {
      REDIS_URL: 'rediss:/hunter2@host',
      ROOST_ADMIN_TOKEN: 'hunter2 ',
      DATABASE_URL: 'pg://u:hunter2@host',
    };
    const text = problemsOf(env).join();
    expect(text).toContain('DATABASE_URL: expected');
    expect(text).toContain('REDIS_URL: expected');
    expect(text).toContain('ROOST_ADMIN_TOKEN: expected');
    expect(text).not.toContain('hunter2');
  });
});

describe('what is generated from the config', () => {
  it('.env.example is in step: run `npm run env:example` when this fails', () => {
    expect(readFileSync('.env.example', 'utf8')).toBe(envExample());
  });

  it('.env.example is itself a valid configuration', () => {
    const lines = envExample()
      .split('\n')
      .filter((line) => /^[A-Z]/.test(line));
    expect(readConfig(Object.fromEntries(lines.map((line) => line.split('=', 2))))).toEqual(readConfig({}));
  });

  it('the version is that of package.json', () => {
    expect(JSON.parse(readFileSync('package.json', 'utf8')).version).toBe(VERSION);
  });
});
