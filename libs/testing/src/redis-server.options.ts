import type { RespAddress } from './resp-connection.js';

/** How a {@link RedisServer} is started. */
export interface RedisServerOptions {
  /** @default a free port, chosen anew when somebody else was quicker */
  readonly port?: number;
  /** More configuration, as on the command line: `['--maxmemory', '3mb']`. */
  readonly args?: readonly string[];
  /** Keeps data over `restart()`. @default false */
  readonly appendonly?: boolean;
  /** Password of the default user. */
  readonly password?: string;
  /** More users, as ACL rules: `'reader on >secret ~* +@read'`. */
  readonly aclUsers?: readonly string[];
  /** Paths of a certificate, its key and its CA: the server then speaks TLS only. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** @default 'redis-server', looked for on PATH */
  readonly binary?: string;
}

/** The command line that starts a server in `dir`, with a user for the harness that no test can lock out. */
export function toArguments(options: RedisServerOptions, dir: string, { port, admin }: RespAddress): string[] {
  const { appendonly, args = [], aclUsers = [], password, tls } = options;
  const users = [`${admin.name} on >${admin.password} ~* &* +@all`, ...aclUsers];
  const defaults = ['--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', appendonly ? 'yes' : 'no'];
  return [
    ...defaults,
    ...(tls ? ['--port', '0', '--tls-port', `${port}`, ...tlsArguments(tls)] : ['--port', `${port}`]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...users.flatMap((rule) => ['--user', ...rule.trim().split(/\s+/)]),
    ...args,
  ];
}

/** The address in the form that clients take. */
export function toUrl({ password, tls }: RedisServerOptions, port: number): string {
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return `${tls ? 'rediss' : 'redis'}://${credentials}127.0.0.1:${port}`;
}

function tlsArguments({ cert, key, ca }: NonNullable<RedisServerOptions['tls']>): string[] {
  return ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'];
}
