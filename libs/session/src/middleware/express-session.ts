/** A request as `express-session` has it. */
export interface SessionRequest {
  sessionID: string;
  session?: object | null | undefined;
}

type SessionClass = new (request: object, data: object) => object;

/** A cookie as it is stored. */
interface StoredCookie {
  readonly originalMaxAge?: number | null;
  readonly expires?: Date | string | null;
}

/**
 * What sessions and cookies of `express-session` are made of, learned from the session that it makes for a request: so its
 * store needs no import of it, and fits the one that the application has.
 */
export class SessionClasses {
  #session: SessionClass | undefined;
  /** The class of cookies is nowhere to be found: its prototype has no constructor. */
  #cookie: object | undefined;

  /** The session of the request, with this data. */
  inflate<Request extends SessionRequest>(
    request: Request,
    data: object,
    generate: () => void,
  ): NonNullable<Request['session']> {
    if (this.#session === undefined || this.#cookie === undefined) {
      const { sessionID } = request;
      generate();
      const made = request.session as { cookie: object };
      this.#session = made.constructor as SessionClass;
      this.#cookie = Object.getPrototypeOf(made.cookie) as object;
      request.sessionID = sessionID;
    }
    const { cookie: stored } = data as { readonly cookie: StoredCookie };
    const { expires, originalMaxAge = null } = stored;
    const cookie = Object.assign(Object.create(this.#cookie) as object, { path: '/', httpOnly: true }, stored, {
      expires: typeof expires === 'string' ? new Date(expires) : (expires ?? null),
    });
    Object.assign(cookie, { originalMaxAge }); // setting `expires` has changed it
    request.session = new this.#session(request, { ...data, cookie });
    return request.session as NonNullable<Request['session']>;
  }
}
