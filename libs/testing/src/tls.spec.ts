import { existsSync, readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { type Certificates, makeCertificates } from './tls.js';

describe('makeCertificates', () => {
  let mine: Certificates;
  let others: Certificates;

  beforeAll(async () => {
    [mine, others] = await Promise.all([makeCertificates(), makeCertificates()]);
  });

  afterAll(() => Promise.all([mine.remove(), others.remove()]));

  it('signs a server certificate for localhost and 127.0.0.1 by its own CA', () => {
    const server = new X509Certificate(readFileSync(mine.cert));
    const ca = new X509Certificate(mine.caText);
    expect(ca.ca).toBe(true);
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.checkHost('localhost')).toBe('localhost');
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(readFileSync(mine.ca, 'utf8')).toBe(mine.caText);
  });

  it('makes another CA each time, so that a wrong one is at hand', () => {
    const server = new X509Certificate(readFileSync(mine.cert));
    expect(server.verify(new X509Certificate(others.caText).publicKey)).toBe(false);
  });

  it('leaves nothing behind', async () => {
    await others.remove();
    expect([others.ca, others.cert, others.key].some(existsSync)).toBe(false);
  });

  it('names the package when openssl is missing', async () => {
    await expect(makeCertificates('no-such-openssl')).rejects.toThrow(
      'no-such-openssl not found on PATH. Install it: apt-get install openssl',
    );
  });
});
