import type { Commands, Key } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';
import { Calendars } from '../algorithms/calendar.js';
import { gcra } from '../algorithms/gcra.js';
import { algorithms, blockedVerdict, verdictOf } from '../algorithms/verdict.js';
import { amountsOf, verdictAfter } from './amounts.js';
import { checkChanges, checkMs, checkRequests, checkSettlements } from './checks.js';
import { differenceOf } from './differences.js';
import { decideScripts, type DecideScripts } from './decide.lua.js';
import {
  RateLimitStore,
  type DecideMode,
  type LimitRequest,
  type LimitVerdict,
  type Settlement,
  type StoreVerdict,
} from './rate-limit.store.js';

/** What a script's first number says when the boundaries it was told are of another time than Redis' clock. */
const LOST = 2;

/** Counts in Redis, by Redis' clock: one script call decides all limits of a request. */
export class RedisRateLimitStore extends RateLimitStore {
  readonly #commands: Commands;
  readonly #scripts: DecideScripts;
  readonly #calendars = new Calendars();
  readonly #me = randomBytes(6).toString('base64url');
  #charges = 0;

  constructor(commands: Commands, scripts: DecideScripts = decideScripts()) {
    super();
    this.#commands = commands;
    this.#scripts = scripts;
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    try {
      checkRequests(limits, mode);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return limits.length === 1 && isPlainGcra(limits[0]!)
      ? this.#decidePlain(limits, mode)
      : this.#decideAny(limits, mode);
  }

  async settle(settlements: readonly Settlement[]): Promise<number> {
    checkSettlements(settlements);
    if (settlements.length === 0) return 0;
    const [, , known] = await this.#inTime(settlements, () =>
      this.#commands.run(
        this.#scripts.settle,
        { limits: settlements.map(({ key }) => key) },
        { requests: settlements.flatMap((each) => this.#settlementOf(each)) },
      ),
    );
    return known!;
  }

  async renew(settlements: readonly Settlement[]): Promise<number> {
    checkSettlements(settlements);
    const slots = settlements.filter(({ algorithm }) => algorithm === 'concurrency');
    if (slots.length === 0) return 0;
    const requests = slots.flatMap(({ windowUs, holdId, held }) => [windowUs, holdId, held]);
    return this.#commands.run(this.#scripts.renew, { limits: slots.map(({ key }) => key) }, { requests });
  }

  async adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]> {
    checkChanges(limits);
    if (limits.length === 0) return [];
    const reply = await this.#inTime(limits, () =>
      this.#commands.run(
        this.#scripts.adjust,
        { limits: limits.map(({ key }) => key) },
        { requests: limits.flatMap((limit) => this.#changeOf(limit)) },
      ),
    );
    return limits.map((limit, i) => toldVerdict({ ...limit, cost: 1 }, reply, i, false));
  }

  async block(keys: readonly Key[], forMs: number): Promise<void> {
    checkMs('forMs', forMs);
    if (keys.length > 0) await this.#commands.run(this.#scripts.block, { limits: keys }, { requests: [forMs] });
  }

  async unblock(keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : this.#commands.run(this.#scripts.unblock, { limits: keys }, { requests: [] });
  }

  async violations(keys: readonly Key[]): Promise<readonly number[]> {
    return keys.length === 0 ? [] : this.#commands.run(this.#scripts.violations, { limits: keys }, { requests: [] });
  }

  async reset(keys: readonly Key[]): Promise<number> {
    return keys.length === 0 ? 0 : this.#commands.write<number>('UNLINK', ...keys);
  }

  /** By the small script, and by the large one when there is more at the limit: a block, or charges that are held. */
  #decidePlain(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const [limit] = limits as [LimitRequest];
    const { key, cost } = limit;
    const asked = this.#commands.run(this.#scripts.one[mode], { limit: key }, { request: amountsOf(limit) });
    return asked.then((raw) => {
      if (raw === null) return this.#decideAny(limits, mode);
      const allowed = raw >= 0;
      const used = allowed ? raw : -1 - raw;
      const after = allowed && mode === 'consume' ? gcra.charged(used, limit, cost) : used;
      return { allowed, limits: [verdictOf(gcra, after, limit, cost, 0, allowed)] };
    });
  }

  async #decideAny(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const reply = await this.#inTime(limits, () => {
      const keys: Key[] = limits.map(({ key }) => key);
      const requests: (string | number)[] = [limits.length];
      for (const limit of limits) {
        requests.push(limit.algorithm, this.#windowOf(limit), ...amountsOf(limit), ...this.#holdOf(limit));
        // A limit of 0 refuses all and remembers nothing.
        const block = limit.limit === 0 ? undefined : limit.block;
        requests.push(block?.after ?? 0, block?.forMs ?? 0, block?.withinMs ?? 0);
        if (block !== undefined) keys.push(block.violations);
      }
      return this.#commands.run(this.#scripts.any[mode], { limits: keys }, { requests });
    });
    const allowed = reply[0] === 1;
    const charged = allowed && mode === 'consume';
    return { allowed, limits: limits.map((limit, i) => toldVerdict(limit, reply, i, charged)) };
  }

  /** Runs a script, and again when it found that Redis' clock is not in the periods it was told. */
  async #inTime(quotas: readonly Quota[], run: () => Promise<readonly number[]>): Promise<readonly number[]> {
    for (let attempt = 0; ; attempt++) {
      const reply = await run();
      if (reply[0] !== LOST) return reply;
      if (attempt === 2) throw new Error('The clock of Redis jumps: it was in three different periods in a row.');
      for (const { calendar } of quotas) if (calendar) this.#calendars.around(calendar, reply[1]!);
    }
  }

  /** The window as scripts take it: sliding-window counts whole milliseconds, and periods differ in length. */
  #windowOf({ algorithm, windowUs, calendar }: Quota & { readonly algorithm: AlgorithmName }): number | string {
    if (algorithm === 'sliding-window') return windowUs / 1_000;
    if (algorithm !== 'calendar') return windowUs;
    return this.#calendars.last(calendar!, () => Date.now() * 1_000).join(' ');
  }

  /** The name of a charge, and when it expires. */
  #holdOf({ algorithm, hold }: LimitRequest): [id: string, expires: number] {
    if (hold !== undefined) return [hold.id, hold.expiresMs ?? 0];
    return [algorithm === 'sliding-log' ? this.#newName() : '', -1];
  }

  #settlementOf(settlement: Settlement): (string | number)[] {
    const { algorithm, limit, holdId, held } = settlement;
    const unit = algorithms[algorithm].unit(settlement);
    const { refund, extra } = differenceOf(settlement, unit);
    return [algorithm, this.#windowOf(settlement), limit * unit, holdId, held, refund, extra];
  }

  #changeOf(request: LimitRequest): (string | number)[] {
    const { algorithm, limit, cost } = request;
    const unit = algorithms[algorithm].unit(request);
    return [algorithm, this.#windowOf(request), limit * unit, limit === 0 ? 0 : cost * unit, this.#newName()];
  }

  /** A name that no other charge has. */
  #newName(): string {
    return `${this.#me}${(this.#charges++).toString(36)}`;
  }
}

function isPlainGcra({ algorithm, hold, block }: LimitRequest): boolean {
  return algorithm === 'gcra' && hold === undefined && block === undefined;
}

/** What the script told of the limit at this place. */
function toldVerdict(request: LimitRequest, reply: readonly number[], place: number, charged: boolean): LimitVerdict {
  const nowUs = reply[1]!;
  const x = reply[3 * place + 2]!;
  if (x < 0 && request.limit > 0) return blockedVerdict(request, request.cost, -x - nowUs);
  const before = algorithms[request.algorithm].told(Math.max(x, 0), reply[3 * place + 3]!, reply[3 * place + 4]!);
  return verdictAfter(request, before, charged, nowUs);
}
