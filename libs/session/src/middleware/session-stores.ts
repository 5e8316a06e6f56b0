import type { SessionConfig } from '../session.config.js';
import type { SessionData } from '../sessions/session.fields.js';
import type { SessionShelf } from '../sessions/session.shelf.js';
import { RoostSessionStore, type RoostSessionStoreOptions } from './roost-session.store.js';

/**
 * Makes stores for the middlewares.
 * @example app.use(session({ store: app.get(SessionStores).create({ user: (session) => session.userId }), … }))
 */
export class SessionStores {
  /** @internal Made by `SessionModule`. */
  constructor(
    private readonly shelf: SessionShelf,
    private readonly config: SessionConfig,
  ) {}

  create<Data = SessionData>(options: RoostSessionStoreOptions<Data> = {}): RoostSessionStore {
    return new RoostSessionStore(this.shelf, this.config, options as RoostSessionStoreOptions<never>);
  }
}
