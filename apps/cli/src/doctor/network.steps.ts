import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isLocal, isPrivateHost } from '../address.js';
import { dial, shakeHands, within } from './dial.js';
import { failure, ok, warning, type Outcome } from './finding.js';
import { nameOf, readTarget } from './redis-target.js';
import { RespConnection } from './resp-connection.js';
import type { Step } from './visit.js';

/** Is there a URL, can it be read, and does it ask for encryption? */
export const scheme: Step = async (visit) => {
  const target = readTarget(visit.options.url, visit.options.env);
  if ('verdict' in target) return target;
  visit.target = target;
  const name = nameOf(target);
  if (target.tls) return ok(`rediss:// to ${name}: encrypted, the certificate is checked`);
  if (isLocal(target.host)) return ok(`redis:// to ${name}: not encrypted, on this machine`);
  if (isPrivateHost(target.host)) return ok(`redis:// to ${name}: not encrypted, in a private network`);
  return warning(
    `redis:// to ${name}: password and data travel readable`,
    'Use rediss:// and turn TLS on at the provider, unless this name is of a private network.',
  );
};

/** Does the name lead to an address? */
export const dns: Step = async (visit) => {
  const { host } = visit.target;
  if (isIP(host)) {
    visit.addresses = [{ address: host, family: isIP(host) }];
    return ok(`${host} is an address`);
  }
  try {
    visit.addresses = await within(visit.options.deadlineMs, lookup(host, { all: true }));
  } catch (error) {
    return explainDns((error as NodeJS.ErrnoException).code, host, visit.options.deadlineMs);
  }
  return ok(`${host} is ${visit.addresses.map(({ address }) => address).join(', ')}`);
};

/** Does somebody accept connections there? */
export const tcp: Step = async (visit) => {
  const { target, addresses, options } = visit;
  const startedAt = performance.now();
  try {
    visit.socket = await dial(target, addresses, options.deadlineMs);
  } catch (error) {
    return explainTcp((error as NodeJS.ErrnoException).code, nameOf(target), options.deadlineMs);
  }
  if (!target.tls) visit.redis = new RespConnection(visit.socket, options.deadlineMs);
  return ok(`connected in ${Math.round(performance.now() - startedAt)} ms`);
};

/** Is the connection encrypted, and by whom we think? */
export const tls: Step = async (visit) => {
  const { target, socket, options } = visit;
  if (!target.tls) return ok('not asked for');
  try {
    const secure = await shakeHands(socket!, target, { checked: true, deadlineMs: options.deadlineMs, ca: options.ca });
    visit.socket = secure;
    visit.redis = new RespConnection(secure, options.deadlineMs);
    return ok(`${secure.getProtocol()}, certificate for ${target.host} is valid until ${validUntil(secure)}`);
  } catch (error) {
    const explained = explainCertificate(error as NodeJS.ErrnoException, target.host);
    if (explained) return explained;
    if (await visit.speaksPlain()) {
      return failure(
        'the server speaks Redis without TLS',
        'Turn TLS on at the server or provider; in a private network use redis:// and leave REDIS_TLS unset.',
      );
    }
    const { code = 'closed' } = error as NodeJS.ErrnoException;
    return code === 'DEADLINE'
      ? failure(
          `no TLS handshake within ${options.deadlineMs} ms, though TCP connects`,
          'The server is frozen, or something between swallows the traffic: look at the server, then at firewalls.',
        )
      : failure(`the handshake failed (${code})`, 'Check that this port is the TLS port of the server.');
  }
};

function explainDns(code: string | undefined, host: string, deadlineMs: number): Outcome {
  if (code === 'ENOTFOUND') {
    return failure(
      `there is no host ${host}`,
      'Correct the name in the URL; private names exist only inside their network.',
    );
  }
  const what = code === 'DEADLINE' ? `did not answer within ${deadlineMs} ms` : `failed (${code ?? 'unknown'})`;
  return failure(`the name server ${what} for ${host}`, 'Check the DNS settings and the network of this machine.');
}

function explainTcp(code: string | undefined, name: string, deadlineMs: number): Outcome {
  if (code === 'ECONNREFUSED') {
    return failure(`${name} refused the connection`, 'Nothing listens there: start Redis, or correct host and port.');
  }
  if (code === 'DEADLINE' || code === 'ETIMEDOUT') {
    return failure(
      `no TCP connection to ${name} within ${deadlineMs} ms`,
      'A firewall, security group or allow list drops it, or the host is down. Slow network: raise --timeout.',
    );
  }
  return failure(`no TCP connection to ${name} (${code ?? 'closed'})`, 'Check network, route and firewall.');
}

function explainCertificate({ code = '', message }: NodeJS.ErrnoException, host: string): Outcome | null {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return failure(
      `the certificate is not for ${host}`,
      'Use the host name that the provider shows, not an alias or address.',
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return failure(`the certificate ${when}`, 'Renew it at the server; check the clock of this machine.');
  }
  // OpenSSL's names for "signed by nobody we trust", as Node passes them on.
  if (/SELF_SIGNED|UNABLE_TO_|CERT_|ISSUER/.test(code) || /self[- ]signed/.test(message)) {
    return failure(
      `the certificate is refused (${code || 'not trusted'})`,
      'Trust its authority: NODE_EXTRA_CA_CERTS=/path/ca.pem for the service, --ca here. Never turn the check off.',
    );
  }
  return null;
}

function validUntil(secure: { getPeerCertificate(): { valid_to?: string } }): string {
  const until = new Date(secure.getPeerCertificate().valid_to ?? NaN);
  return Number.isNaN(until.getTime()) ? 'an unknown day' : until.toISOString().slice(0, 10);
}
