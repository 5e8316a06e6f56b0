import { metaText, checkedName } from '../presence.names.js';
import type { GatewayConfig } from '../presence.config.js';
import { ForeignOriginError, NotAuthenticatedError } from '../presence.errors.js';
import type { Handshake, Identity } from './gateway.options.js';

/** How long an application may take to say who it is, in ms. */
const PATIENCE_MS = 10_000;

/** Decides who may connect, before anything of a socket is handled. */
export class Admission {
  constructor(private readonly config: Pick<GatewayConfig, 'authenticate' | 'origins'>) {}

  /**
   * Browsers let any page connect anywhere, with the cookies of the one who looks at it: only the origin tells.
   * @throws ForeignOriginError for a page from elsewhere.
   */
  checkOrigin({ headers }: Pick<Handshake, 'headers'>): void {
    const { host, origin } = headers;
    const { origins } = this.config;
    if (origin === undefined || origins === '*') return;
    const named = String(origin);
    const own = origins === undefined && host !== undefined && hostOf(named) === host;
    if (own || origins?.includes(named)) return;
    throw new ForeignOriginError('Pages of this origin may not connect. Name it in `gateway.origins` if they should.');
  }

  /** @throws NotAuthenticatedError, or what the application throws. */
  async identify(handshake: Handshake): Promise<Identity> {
    const identity = await soon(this.config.authenticate(handshake));
    if (identity === null || identity === undefined) throw new NotAuthenticatedError('Nobody is known by this.');
    checkedName('userId', identity.userId);
    metaText(identity.meta);
    if (leftMs(identity) <= 0) throw new NotAuthenticatedError('The right to be connected has ended.');
    return identity;
  }
}

/** For how long the right to be connected goes on, in ms. */
export function leftMs({ expiresAt }: Identity): number {
  return expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
}

/** Undefined for an origin that is opaque. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

async function soon<T>(answer: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const refuse = () => reject(new NotAuthenticatedError('It could not be found out in time who it is.'));
    timer = setTimeout(refuse, PATIENCE_MS).unref();
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
