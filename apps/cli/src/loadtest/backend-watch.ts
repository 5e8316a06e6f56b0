import { HttpClient } from './http-client.js';

const EVERY_MS = 1_000;
const TIMEOUT_MS = 2_000;

/** Asks the service again and again which backend decides, on a connection of its own. */
export class BackendWatch {
  /** Every backend that was named; empty when the service never said. */
  readonly seen = new Set<string>();
  readonly #client: HttpClient;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    url: URL,
    private readonly adminToken: string | undefined,
  ) {
    this.#client = new HttpClient(url, 1);
  }

  /** Asks once; false when nobody answers at all. */
  async look(): Promise<boolean> {
    const ready = await this.#client.get('/readyz', {}, TIMEOUT_MS);
    const state = this.adminToken
      ? await this.#client.get('/admin/state', { 'x-admin-token': this.adminToken }, TIMEOUT_MS)
      : null;
    for (const answer of [ready, state]) {
      if (answer) for (const backend of backendsIn(answer.body)) this.seen.add(backend);
    }
    return ready !== null;
  }

  /** Goes on asking until {@link stop}. */
  start(): void {
    this.#timer = setTimeout(() => void this.look().then(() => this.#timer && this.start()), EVERY_MS);
  }

  /** Asks a last time. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.look();
    this.#client.close();
  }
}

/** The backends that a JSON answer of the service names: those of rate limiting where it says so, else of anything. */
export function backendsIn(body: string): ReadonlySet<string> {
  let state: unknown;
  try {
    state = JSON.parse(body);
  } catch {
    return new Set();
  }
  const ofLimits = named(state, false);
  return ofLimits.size > 0 ? ofLimits : named(state, true);
}

function named(value: unknown, anywhere: boolean): Set<string> {
  const found = new Set<string>();
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, child] of Object.entries(value)) {
    if (anywhere && /^(backend|current|rl_backend)$/.test(key) && (child === 'redis' || child === 'memory')) {
      found.add(child);
    }
    for (const name of named(child, anywhere || /rate.?limit|throttle/i.test(key))) found.add(name);
  }
  return found;
}
