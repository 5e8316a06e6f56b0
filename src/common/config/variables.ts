import { isIP } from 'node:net';
import { z } from 'zod';

/** What the list of problems and `.env.example` say about a variable. */
export interface VariableNotes {
  readonly description: string;
  /** The sentence end after "Expected …"; its own words, because it is read by whoever deploys, not by a programmer. */
  readonly expected: string;
  /** Never print the value, not even a wrong one. */
  readonly secret?: boolean;
  /** Shown in `.env.example` when there is no default. */
  readonly example?: string;
}

const BACKENDS = ['auto', 'redis', 'memory'] as const;
const oneOf = 'to be `auto`, `redis` or `memory`';

/** Every environment variable of the service. The only list: parsing, `.env.example` and the docs come from it. */
export const variables = z.object({
  NODE_ENV: noted(z.enum(['development', 'test', 'production']).default('development'), {
    description: 'In `production` logs are JSON lines, cookies are Secure and one-time codes are not shown.',
    expected: 'to be `development`, `test` or `production`',
  }),
  PORT: noted(whole(0, 65_535).default(3_000), {
    description: 'The HTTP port, on all interfaces; 0 takes a free one.',
    expected: 'to be a port from 0 to 65535',
  }),
  REDIS_URL: noted(z.url({ protocol: /^rediss?$/, hostname: /./ }).optional(), {
    description: 'redis:// or rediss:// (TLS, certificate checked). Unset: the embedded in-memory backend.',
    expected: 'to be a URL that begins with redis:// or rediss://',
    secret: true,
    example: 'redis://localhost:6379',
  }),
  REDIS_TLS: noted(flag().default(false), {
    description: '`true` forces TLS on a redis:// URL.',
    expected: 'to be `true` or `false`',
  }),
  REDIS_PASSWORD_FILE: noted(z.string().optional(), {
    description: 'A file with the password, read at each (re)connect, so that a rotated secret needs no restart.',
    expected: 'to be a path',
    example: '/run/secrets/redis-password',
  }),
  ROOST_BACKEND: noted(z.enum(BACKENDS).default('auto'), {
    description:
      '`auto`: Redis when configured, memory while it is lost. `redis`: the boot fails without it. `memory`: never Redis.',
    expected: oneOf,
  }),
  RATE_LIMIT_BACKEND: noted(z.enum(BACKENDS).optional(), {
    description: 'The same for rate limits alone. Unset: as ROOST_BACKEND.',
    expected: oneOf,
    example: 'auto',
  }),
  RATE_LIMIT_CANARY_PERCENT: noted(number(0, 100).default(100), {
    description: 'Share of subjects that Redis decides, the rest locally; a subject is always on the same side.',
    expected: 'to be a number from 0 to 100',
  }),
  LOCK_BACKEND: noted(z.enum(BACKENDS).optional(), {
    description: 'The same for locks alone. Unset: as ROOST_BACKEND.',
    expected: oneOf,
    example: 'auto',
  }),
  PRESENCE_BACKEND: noted(z.enum(BACKENDS).optional(), {
    description: 'The same for presence alone. Unset: as ROOST_BACKEND.',
    expected: oneOf,
    example: 'auto',
  }),
  CACHE_BACKEND: noted(z.enum(BACKENDS).optional(), {
    description: 'The same for the cache alone. Unset: as ROOST_BACKEND.',
    expected: oneOf,
    example: 'auto',
  }),
  QUEUE_BACKEND: noted(z.enum(['auto', 'redis', 'postgres', 'memory']).default('auto'), {
    description:
      'Where jobs are kept. `auto`: in Redis when configured, else in the database. `memory`: they are forgotten at the end.',
    expected: 'to be `auto`, `redis`, `postgres` or `memory`',
  }),
  SMTP_URL: noted(z.url({ protocol: /^smtps?$/, hostname: /./ }).optional(), {
    description: 'The server that sends e-mails. Unset: they are written and not sent.',
    expected: 'to be a URL that begins with smtp:// or smtps://',
    secret: true,
    example: 'smtp://localhost:1025',
  }),
  MAIL_FROM: noted(z.email().default('rental@roost.example'), {
    description: 'The sender of e-mails.',
    expected: 'to be an e-mail address',
  }),
  MAIL_DESK: noted(z.email().default('desk@roost.example'), {
    description: 'Who gets the daily digest, and the confirmations of bookings that name no address.',
    expected: 'to be an e-mail address',
  }),
  ROLE: noted(z.enum(['web', 'worker', 'all']).default('all'), {
    description: '`web` answers requests, `worker` runs jobs and answers probes alone, `all` does both.',
    expected: 'to be `web`, `worker` or `all`',
  }),
  CATALOGUE_ORIGIN_DELAY_MS: noted(whole(0, 10_000).default(300), {
    description: 'How long the catalogue takes, on purpose, to read cars from the database, in milliseconds.',
    expected: 'to be a whole number of milliseconds from 0 to 10000',
  }),
  CATALOGUE_WARM_UP: noted(flag().optional(), {
    description:
      'Whether the cars of each city are loaded into the cache at start. Unset: yes, but not with NODE_ENV=test, nor in a worker.',
    expected: 'to be `true` or `false`',
    example: 'true',
  }),
  DATABASE_URL: noted(
    z.union([z.url({ protocol: /^postgres(ql)?$/, hostname: /./ }), z.literal('memory:')]).optional(),
    {
      description:
        'The Postgres of the service, which needs the right to create the extension btree_gist. Unset: a database inside this process, kept in ROOST_DATA_DIR; `memory:`: one that is forgotten at the end.',
      expected: 'to be a URL that begins with postgres:// or postgresql://, or `memory:`',
      secret: true,
      example: 'postgres://roost:roost@localhost:5432/roost',
    },
  ),
  ROOST_DATA_DIR: noted(z.string().optional(), {
    description:
      'The folder of the embedded database; one process alone may use it. Unset: `.data`, and with NODE_ENV=test memory.',
    expected: 'to be a path',
    example: '.data',
  }),
  ROOST_RECHECK_MS: noted(whole(1, 300_000).default(5_000), {
    description: 'The longest pause between two tries of a lost Redis, in milliseconds.',
    expected: 'to be a whole number of milliseconds from 1 to 300000',
  }),
  ROOST_COMMAND_TIMEOUT_MS: noted(whole(1, 60_000).default(250), {
    description: 'The deadline of one Redis command on a request path, in milliseconds.',
    expected: 'to be a whole number of milliseconds from 1 to 60000',
  }),
  ROOST_KEY_PREFIX: noted(
    z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]{0,62}$/)
      .default('roost'),
    {
      description: 'The first part of every key in Redis.',
      expected: 'to be 1 to 63 letters, digits, `_`, `.` or `-`, beginning with a letter or digit',
    },
  ),
  ROOST_REPLICAS: noted(whole(1, 10_000).default(1), {
    description: 'How many processes serve this app: while Redis is lost each allows its share of a limit.',
    expected: 'to be a whole number from 1 to 10000',
  }),
  ROOST_PROXY: noted(z.string().refine(namesProxies).optional(), {
    description:
      'The proxies before this service, so that limits by address count clients: how many there are (0: none), their networks, or `cloudflare`, `aws-alb`, `gcp`. Unset: X-Forwarded-For is believed of nobody.',
    expected:
      'to be a number of proxies up to 32, networks such as `10.0.0.0/8,fd00::/8`, or `cloudflare`, `aws-alb` or `gcp`',
    example: '1',
  }),
  ROOST_DRAIN_MS: noted(whole(0, 600_000).optional(), {
    description:
      'How long after SIGTERM the server still answers, so that balancers see /readyz fail and go elsewhere. Unset: 5000 in production, else 0.',
    expected: 'to be a whole number of milliseconds from 0 to 600000',
    example: '5000',
  }),
  SESSION_PEPPER: noted(z.string().min(16).optional(), {
    description:
      'A secret that all instances share, with which one-time codes are hashed: `openssl rand -base64 32`. Unset: made of the passwords in the other settings and ROOST_ADMIN_TOKEN; where there are none, whoever reads Redis finds codes out.',
    expected: 'to be a text of 16 characters or more',
    secret: true,
  }),
  ROOST_ADMIN_TOKEN: noted(
    z
      .string()
      .regex(/^[\x21-\x7e]+$/)
      .optional(),
    {
      description: 'The x-admin-token that opens /admin/*: 16 or more random characters. Unset: closed.',
      expected: 'to be printable characters without spaces, as a header can hold',
      secret: true,
    },
  ),
});

/** The notes that a variable was declared with. */
export function notesOf(schema: z.ZodType): VariableNotes {
  return z.globalRegistry.get(schema) as unknown as VariableNotes;
}

function noted<Schema extends z.ZodType>(schema: Schema, notes: VariableNotes): Schema {
  return schema.meta({ ...notes });
}

function number(min: number, max: number) {
  return z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

function whole(min: number, max: number) {
  return number(min, max).pipe(z.int());
}

function flag() {
  return z.enum(['true', 'false']).transform((text) => text === 'true');
}

function namesProxies(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) <= 32;
  return ['cloudflare', 'aws-alb', 'gcp'].includes(text) || text.split(',').every(isNetwork);
}

/** An address, or a network as `10.0.0.0/8`. */
function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}
