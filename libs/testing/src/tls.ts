import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A CA valid for a day and a server certificate it signed for `localhost` and 127.0.0.1. */
export interface Certificates {
  /** Path of the CA certificate. */
  readonly ca: string;
  /** The CA certificate itself, as clients take it. */
  readonly caText: string;
  /** Path of the server certificate. */
  readonly cert: string;
  /** Path of the server's private key. */
  readonly key: string;
  /** Removes the files. */
  remove(): Promise<void>;
}

/**
 * Makes certificates for one test in a temporary directory.
 * Each call makes another CA, so the `caText` of a second call is a wrong one for the first.
 * @param openssl the binary, looked for on PATH
 */
export async function makeCertificates(openssl = 'openssl'): Promise<Certificates> {
  const dir = await mkdtemp(join(tmpdir(), 'roost-tls-'));
  const file = (name: string) => join(dir, name);
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await writeFile(file('server.ext'), 'subjectAltName = DNS:localhost, IP:127.0.0.1\n');
    for (const args of steps(file)) await run(openssl, args);
    const caText = await readFile(file('ca.crt'), 'utf8');
    return { ca: file('ca.crt'), caText, cert: file('server.crt'), key: file('server.key'), remove };
  } catch (error) {
    await remove();
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`${openssl} not found on PATH. Install it: apt-get install openssl`, { cause: error });
  }
}

function steps(file: (name: string) => string): string[][] {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout'];
  const ca = ['req', '-x509', ...newKey, file('ca.key'), '-out', file('ca.crt')];
  const request = ['req', ...newKey, file('server.key'), '-out', file('server.csr')];
  const sign = ['x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key')];
  return [
    [...ca, '-days', '1', '-subj', '/CN=Roost throw-away CA'],
    [...request, '-subj', '/CN=localhost'],
    [...sign, '-CAcreateserial', '-days', '1', '-extfile', file('server.ext'), '-out', file('server.crt')],
  ];
}
