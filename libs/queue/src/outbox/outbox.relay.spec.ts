import { eventually, PostgresServer } from '@roost/testing';
import { Pool } from 'pg';
import { randomUUID } from 'node:crypto';
import type { RelayParts } from './outbox.relay.js';
import { outboxSchemaSql } from './outbox.sql.js';
import { OutboxTable, type ClaimedDraft } from './outbox.table.js';
import { draftOf, Jobs, relayOn, serverBed, type Bed, type Relay } from './outbox.testbed.js';

let server: PostgresServer;
let pool: Pool;
let bed: Bed;
const relays: Relay[] = [];

beforeAll(async () => {
  server = await PostgresServer.start();
  pool = new Pool({ connectionString: server.url, max: 20 });
  pool.on('error', () => {});
  bed = serverBed(pool);
  await bed.script(outboxSchemaSql);
});

afterEach(async () => {
  await Promise.all(relays.splice(0).map(({ relay }) => relay.stop(1_000)));
  await bed.script('TRUNCATE roost_queue.outbox');
});

afterAll(async () => {
  await pool?.end();
  await server?.stop();
});

function relayTo(jobs: Pick<Jobs, 'deliver'>, parts: Partial<RelayParts> = {}): Relay {
  const made = relayOn(bed, jobs, { lookEveryMs: 60_000, ...parts });
  relays.push(made);
  return made;
}

const insert = (...ids: string[]) =>
  bed.table.insert(
    bed.pool,
    ids.map((id) => draftOf(id)),
  );
const waiting = async () => (await bed.table.depth()).waiting;
const idsOf = (count: number) => Array.from({ length: count }, (_, index) => `job-${index}`);
const deaf: RelayParts['listen'] = async () => async () => {};

describe('a relay', () => {
  it('delivers what was committed within 20 ms, typically', async () => {
    const jobs = new Jobs();
    let at = 0;
    const { relay } = relayTo({
      deliver(drafts) {
        at = performance.now();
        return jobs.deliver(drafts);
      },
    });
    relay.start();
    const tookMs: number[] = [];
    for (const id of idsOf(21)) {
      await insert(id);
      const committed = performance.now();
      await eventually(() => jobs.ids.includes(id), { within: 1_000, every: 1 });
      tookMs.push(at - committed);
    }
    tookMs.sort((a, b) => a - b);
    expect(tookMs[10]).toBeLessThan(20);
  });

  it('delivers the oldest first, in batches, and what waits since before it started', async () => {
    const jobs = new Jobs();
    const ids = idsOf(250);
    await insert(...ids);
    const sizes: number[] = [];
    const { relay, metric } = relayTo({
      deliver: (drafts) => {
        sizes.push(drafts.length);
        return jobs.deliver(drafts);
      },
    });
    relay.start();
    await eventually(async () => (await waiting()) === 0, { within: 2_000 });
    expect(jobs.ids).toEqual(ids);
    expect(sizes).toEqual([100, 100, 50]);
    await eventually(async () => (await metric('roost_outbox_relayed_total')) === 250, { within: 500 });
  });

  it('never delivers two batches at once, however often it is nudged', async () => {
    const jobs = new Jobs();
    let running = 0;
    let most = 0;
    const { relay } = relayTo({
      async deliver(drafts) {
        most = Math.max(most, ++running);
        await new Promise((resume) => setTimeout(resume, 2));
        running--;
        return jobs.deliver(drafts);
      },
    });
    relay.start();
    for (const id of idsOf(20)) {
      relay.nudge();
      await insert(id);
    }
    await eventually(async () => (await waiting()) === 0, { within: 2_000 });
    expect(most).toBe(1);
    expect([...jobs.seen.values()]).toEqual(idsOf(20).map(() => 1));
  });

  it('shares the work with others, and delivers each draft once', async () => {
    const jobs = new Jobs();
    const shares = [0, 0, 0];
    shares.forEach((_, index) => {
      relayTo(
        {
          async deliver(drafts) {
            shares[index]! += drafts.length;
            await new Promise((resume) => setTimeout(resume, 2));
            return jobs.deliver(drafts);
          },
        },
        { batch: 10 },
      ).relay.start();
    });
    await insert(...idsOf(300));
    await eventually(async () => (await waiting()) === 0, { within: 3_000 });
    expect(jobs.ids.toSorted()).toEqual(idsOf(300).toSorted());
    expect([...jobs.seen.values()].every((times) => times === 1)).toBe(true);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  });

  it('finds by itself what nobody told it of', async () => {
    const jobs = new Jobs();
    relayTo(jobs, { listen: deaf, lookEveryMs: 50 }).relay.start();
    await insert('unheard');
    await eventually(() => jobs.ids.length === 1, { within: 1_000 });
  });

  it('listens as soon as it can, and looks meanwhile', async () => {
    const jobs = new Jobs();
    let refusals = 3;
    const { relay, events } = relayTo(jobs, {
      lookEveryMs: 20,
      listen: (...given) => (refusals-- > 0 ? Promise.reject(new Error('not yet')) : bed.listen(...given)),
    });
    relay.start();
    await insert('early');
    await eventually(() => jobs.ids.length === 1 && refusals < 0, { within: 1_000 });
    expect(events).toEqual([{ event: 'outbox.deaf', error: 'not yet' }]);
  });
});

describe('a store that fails', () => {
  it('is not asked while it is lost, and has everything at once when it is back', async () => {
    const jobs = new Jobs();
    let serving = false;
    let asked = 0;
    const { relay, metric } = relayTo(
      {
        async deliver(drafts) {
          asked++;
          return jobs.deliver(drafts);
        },
      },
      { isServing: () => serving, lookEveryMs: 40 },
    );
    relay.start();
    await insert(...idsOf(3));
    await eventually(() => relay.report().waiting === 3, { within: 1_000 });
    expect(await metric('roost_outbox_waiting')).toBe(3);
    expect(await metric('roost_outbox_oldest_seconds')).toBeGreaterThan(0);
    expect([asked, (await bed.table.find('mail', 'job-0'))!.attempts]).toEqual([0, 0]);
    serving = true;
    relay.nudge();
    await eventually(() => jobs.ids.length === 3, { within: 100, every: 1 });
    await eventually(() => relay.report().waiting === 0, { within: 1_000 });
  });

  it('that is lost during a delivery has the drafts at once when it is back, whatever they were tried', async () => {
    const jobs = new Jobs();
    let serving = true;
    let back = false;
    const { relay } = relayTo(
      {
        async deliver(drafts) {
          if (back) return jobs.deliver(drafts);
          serving = false;
          throw new Error('Connection is closed');
        },
      },
      { isServing: () => serving },
    );
    await insert('cut');
    await bed.script('UPDATE roost_queue.outbox SET attempts = 50');
    relay.start();
    await eventually(async () => (await bed.table.find('mail', 'cut'))?.lastError === 'Connection is closed', {
      within: 1_000,
    });
    expect(await bed.table.find('mail', 'cut')).toMatchObject({ state: 'waiting', attempts: 51 });
    back = true;
    serving = true;
    relay.nudge();
    await eventually(() => jobs.ids.includes('cut'), { within: 100, every: 1 });
  });

  it('is tried again with growing pauses, without end, and told of once', async () => {
    const at: number[] = [];
    let refusals = 4;
    const jobs = new Jobs();
    const { relay, events } = relayTo({
      async deliver(drafts) {
        at.push(performance.now());
        if (refusals-- > 0) throw new Error('down');
        return jobs.deliver(drafts);
      },
    });
    await insert('patient');
    relay.start();
    await eventually(() => jobs.ids.length === 1, { within: 4_000 });
    const pauses = at.slice(1).map((each, index) => each - at[index]!);
    expect(pauses[0]).toBeGreaterThanOrEqual(49);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(399);
    expect(pauses.at(-1)).toBeLessThan(1_500);
    expect(events.filter(({ event }) => event === 'outbox.delayed')).toMatchObject([{ error: 'down', id: 'patient' }]);
  });

  it('that answers for some only keeps the others waiting', async () => {
    const jobs = new Jobs();
    const { relay } = relayTo({ deliver: async (drafts) => jobs.deliver(drafts.filter(({ id }) => id !== 'silent')) });
    await insert('silent', 'heard');
    relay.start();
    await eventually(async () => (await bed.table.find('mail', 'silent'))?.lastError === 'no answer', {
      within: 1_000,
    });
    expect(await bed.table.find('mail', 'heard')).toBeUndefined();
  });

  it('that never answers does not hold up the relay beyond the lease', async () => {
    const jobs = new Jobs();
    let hung = false;
    const { relay } = relayTo(
      {
        deliver(drafts) {
          if (hung) return jobs.deliver(drafts);
          hung = true;
          return new Promise(() => {});
        },
      },
      { leaseMs: 100 },
    );
    await insert('hung');
    relay.start();
    await eventually(() => jobs.ids.length === 1, { within: 2_000 });
  });

  it('and refuses a draft for good is not asked for it again: it stays, dead, with the reason', async () => {
    const jobs = new Jobs();
    let asked = 0;
    const { relay, events, metric } = relayTo(
      {
        async deliver(drafts) {
          asked += drafts.filter(({ id }) => id === 'poison').length;
          const answers = await jobs.deliver(drafts.filter(({ id }) => id !== 'poison'));
          return [...answers, { queue: 'mail', id: 'poison', error: new Error('Custom Id'), permanent: true }];
        },
      },
      { lookEveryMs: 20 },
    );
    await insert('before', 'poison', 'after');
    relay.start();
    await eventually(() => relay.report().dead === 1 && relay.report().waiting === 0, { within: 1_000 });
    await insert('later');
    await eventually(() => jobs.ids.length === 3, { within: 1_000 });
    expect(asked).toBe(1);
    expect(jobs.ids).toEqual(['before', 'after', 'later']);
    expect(await bed.table.find('mail', 'poison')).toEqual({ state: 'dead', attempts: 1, lastError: 'Custom Id' });
    expect(await metric('roost_outbox_dead_total')).toBe(1);
    expect(events).toEqual([{ event: 'outbox.dead', error: 'Custom Id', queue: 'mail', name: 'send', id: 'poison' }]);
  });
});

/** Dies whenever it is to delete what it has delivered. */
class DyingTable extends OutboxTable {
  constructor(
    private readonly cut: { claims: number },
    private readonly kind: 'ours' | 'deletes first',
  ) {
    super(bed.pool);
  }

  override async claim(relay: string, limit: number, leaseMs: number): Promise<readonly ClaimedDraft[]> {
    const claimed = await super.claim(relay, limit, leaseMs);
    this.cut.claims += claimed.length;
    if (this.kind === 'deletes first') await super.delete(relay, claimed);
    return claimed;
  }

  override async delete(): Promise<void> {
    throw new Error('killed');
  }
}

describe('case 45: a relay that is killed between the store and the outbox', () => {
  const KILLS = 100;

  /** Each kill is a process of its own: nothing but the table remembers its claims. Gives how many drafts were lost. */
  async function killed(kind: 'ours' | 'deletes first', jobs: Jobs): Promise<number> {
    const ids = idsOf(KILLS);
    await insert(...ids);
    const cut = { claims: 0 };
    for (let kill = 0; kill < KILLS; kill++) {
      const table = new DyingTable(cut, kind);
      // It dies before the store has the job half of the time, and after it the other half.
      const deliver = kill % 2 === 0 ? jobs.deliver : () => Promise.reject(new Error('killed'));
      const parts = { table, relay: randomUUID(), batch: 1, leaseMs: 60_000, listen: deaf };
      const release = async () => Promise.reject(new Error('killed'));
      Object.assign(table, { release });
      const { relay } = relayOn(bed, { deliver }, parts);
      relay.start();
      await eventually(() => relay.report().trouble !== undefined || cut.claims > kill, { within: 1_000, every: 1 });
      await relay.stop(1_000);
    }
    expect(cut.claims).toBeGreaterThanOrEqual(kind === 'ours' ? KILLS : 1);
    await bed.script(`UPDATE roost_queue.outbox SET available_at = clock_timestamp()`); // all leases are over
    const { relay } = relayTo(jobs);
    relay.start();
    await eventually(async () => (await waiting()) === 0, { within: 2_000 });
    return ids.filter((id) => !jobs.ids.includes(id)).length;
  }

  it('×100: another one delivers the draft again, and the store has each job once', async () => {
    const jobs = new Jobs();
    expect(await killed('ours', jobs)).toBe(0);
    expect(jobs.ids.toSorted()).toEqual(idsOf(KILLS).toSorted());
    expect([...jobs.seen.values()].filter((times) => times > 1)).toHaveLength(KILLS / 2);
  });

  it('and the same test sees that a relay which deletes first loses drafts', async () => {
    expect(await killed('deletes first', new Jobs())).toBeGreaterThan(0);
  });
});

describe('the end of a relay', () => {
  it('waits for what is under way, and claims nothing more', async () => {
    const jobs = new Jobs();
    let deliver!: () => void;
    const { relay } = relayTo({
      async deliver(drafts) {
        await new Promise<void>((resume) => (deliver = resume));
        return jobs.deliver(drafts);
      },
    });
    await insert('under way');
    relay.start();
    await eventually(() => deliver !== undefined, { within: 1_000, every: 1 });
    const stopped = relay.stop(1_000);
    await insert('too late');
    deliver();
    await stopped;
    expect(jobs.ids).toEqual(['under way']);
    expect(await bed.table.find('mail', 'under way')).toBeUndefined();
    relay.nudge();
    expect(await bed.table.find('mail', 'too late')).toMatchObject({ attempts: 0 });
  });

  it('comes in time when the store hangs', async () => {
    const { relay, events } = relayTo({ deliver: () => new Promise(() => {}) }, { leaseMs: 500 });
    await insert('hung');
    relay.start();
    await eventually(async () => (await bed.table.find('mail', 'hung'))!.attempts === 1, { within: 1_000 });
    const started = performance.now();
    await relay.stop(30);
    expect(performance.now() - started).toBeLessThan(200);
    expect(events).toMatchObject([{ event: 'outbox.abandoned' }]);
  });
});

describe('a database that is lost', () => {
  it('is asked at least every second, told of once, and has its drafts delivered when it is back', async () => {
    const jobs = new Jobs();
    const { relay, events } = relayTo(jobs, { lookEveryMs: 100, listen: deaf });
    await insert('before');
    relay.start();
    await eventually(() => jobs.ids.length === 1, { within: 1_000 });
    await server.kill();
    await eventually(() => relay.report().trouble !== undefined, { within: 2_000 });
    await server.restart();
    await eventually(() => insert('after'), { within: 2_000 });
    await eventually(() => jobs.ids.length === 2, { within: 1_500 });
    expect(relay.report().trouble).toBeUndefined();
    expect(events.map(({ event }) => event)).toEqual(['outbox.unreachable', 'outbox.reachable']);
  });
});
