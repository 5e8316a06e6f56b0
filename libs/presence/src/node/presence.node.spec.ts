import { eventually } from '@roost/testing';
import { LEASE, lobby, NodeTestbed, onPurpose, pass } from './node.testbed.js';
import type { PresenceNode } from './presence.node.js';

describe('PresenceNode', () => {
  let bed: NodeTestbed;
  let store: NodeTestbed['store'];
  beforeEach(() => {
    bed = new NodeTestbed();
    store = bed.store;
  });

  /** Two nodes, of which the second has a user, and is not heard of any more once this resolves. */
  async function oneOfTwo(): Promise<PresenceNode> {
    const [a, b] = [bed.open(), bed.open()];
    await b.join(lobby, 'ben', 'phone', 'null');
    await a.beat();
    await b.beat();
    await pass(LEASE / 2); // from here on beats of the first are what the test makes of them
    await a.beat();
    store.clock.ms += 10 * LEASE;
    return a;
  }

  it('cleans up after others, but not before it has been there for a lease', async () => {
    const a = await oneOfTwo();
    await a.beat();
    expect(await store.users).toEqual(['ben']);
    // As often as it takes: a test that stands still for a lease itself has to wait for another one.
    const isSwept = () => a.beat().then(async () => (await store.users).length === 0);
    await eventually(isSwept, { within: 5_000, every: LEASE / 2 });
  });

  it('case 66: takes nobody for dead for the time of a lease after an outage', async () => {
    const [a, b] = [bed.open(), bed.open()];
    await b.join(lobby, 'ben', 'phone', 'null');
    for (let i = 0; i < 3; i++) {
      await a.beat();
      await b.beat();
      await pass(LEASE / 2);
    }
    store.clock.ms += 10 * LEASE;
    bed.away(a);
    await a.beat();
    bed.back(a);
    for (let i = 0; i < 3; i++) await a.beat();
    expect(await store.users).toEqual(['ben']);
    await b.beat();
    expect(await store.users).toEqual(['ben']);
  });

  it('case 55: takes nobody for dead for the time of a lease after it stood still itself', async () => {
    const a = await oneOfTwo();
    await pass(LEASE + 20);
    await a.beat();
    expect(await store.users).toEqual(['ben']);
  });

  it('tells again what was not heard, and takes back who left in the meantime', async () => {
    const a = bed.open();
    const ann = await a.join(lobby, 'ann', 'phone', 'null');
    await a.beat();
    store.silent = true;
    await a.leave(ann.member, onPurpose);
    expect((await a.join(lobby, 'ben', 'phone', 'null')).version).toBeUndefined();
    expect(await store.users).toEqual(['ann']);
    const before = a.id;
    await a.beat();
    store.silent = false;
    await a.beat();
    expect([...(await store.users)].sort()).toEqual(['ann', 'ben']); // one who may be back somewhere else has a grace
    store.clock.ms += LEASE;
    await eventually(async () => expect(await store.users).toEqual(['ben']), { within: 1_000, every: 5 });
    expect(a.id).not.toBe(before);
    expect(await store.ownedBy(before)).toEqual([]);
  });

  it('case 66: gives a grace to who came and lost the connection while the store was away', async () => {
    const a = bed.open();
    await a.beat();
    bed.away(a);
    const [ann, ben, cat] = await Promise.all(
      ['ann', 'ben', 'cat'].map((user) => a.join(lobby, user, 'phone', 'null')),
    );
    await a.leave(ann!.member, { onPurpose: false, silentMs: 0 });
    await a.leave(ben!.member, onPurpose);
    await a.leave(cat!.member, { onPurpose: false, silentMs: LEASE });
    bed.back(a);
    await a.beat();
    expect(await store.users).toEqual(['ann']);
    await a.join(lobby, 'ann', 'tablet', 'null'); // the same user, in time
    expect(store.told).toHaveLength(1);
  });

  it('takes nobody away who lost the connection while the store was away, and is here again', async () => {
    const a = bed.open();
    await a.beat();
    const { member } = await a.join(lobby, 'ann', 'phone', 'null');
    bed.away(a);
    await a.leave(member, { onPurpose: false, silentMs: 0 });
    await a.join(lobby, 'ann', 'phone', 'null');
    bed.back(a);
    await a.beat();
    expect(await store.devices(lobby)).toHaveLength(1);
    store.clock.ms += 10 * LEASE;
    await store.expire(lobby);
    expect(await store.users).toEqual(['ann']);
  });

  it('case 66: tells nobody to be gone before others had the time to tell who came to them', async () => {
    const [a, b] = [bed.open(), bed.open()];
    for (const node of [a, b]) await node.beat();
    const { member } = await a.join(lobby, 'ann', 'phone', 'null');
    await a.leave(member, { onPurpose: false, silentMs: 0 });
    for (const node of [a, b]) bed.away(node);
    await b.join(lobby, 'ann', 'phone', 'null');
    store.clock.ms += 10 * LEASE;
    bed.reachable = true;
    const backAt = performance.now();
    a.reachabilityChanged();
    await a.beat();
    await pass(LEASE / 2);
    const heard = await store.users;
    if (performance.now() < backAt + LEASE) expect(heard).toEqual(['ann']); // else this process stood still
    b.reachabilityChanged();
    await b.beat();
    await pass(2 * LEASE);
    expect(await store.users).toEqual(['ann']);
  });

  it('case 66: tells nobody to be gone while the store is away, though it may answer already', async () => {
    const a = bed.open();
    await a.beat();
    const { member } = await a.join(lobby, 'ann', 'phone', 'null');
    await a.leave(member, { onPurpose: false, silentMs: 0 });
    bed.away(a);
    store.clock.ms += 10 * LEASE;
    await pass(3 * LEASE);
    expect(await store.users).toEqual(['ann']);
    bed.back(a);
    await eventually(async () => expect(await store.users).toEqual([]), { within: 1_000, every: 5 });
  });

  it('case 66: lets nobody be gone when it has just started: what Redis has not heard, others may be about to tell', async () => {
    const ann = { userId: 'ann', deviceId: 'phone', meta: 'null', node: 'other' };
    await store.join(lobby, ann);
    await store.leave(lobby, ann, { silentMs: 0, goneAfterMs: LEASE });
    store.clock.ms += 10 * LEASE;
    const startedAt = performance.now();
    const b = bed.open();
    const { member } = await b.join(lobby, 'ben', 'phone', 'null');
    await b.leave(member, onPurpose);
    await pass(LEASE / 2);
    const heard = await store.users;
    if (performance.now() < startedAt + LEASE) expect(heard).toEqual(['ann']); // else this process stood still
    await eventually(async () => expect(await store.users).toEqual([]), { within: 1_000, every: 5 });
  });

  it.each(['has forgotten', 'was away'])(
    'who leaves on purpose just after the store %s may be with others',
    async (how) => {
      const [a, b] = [bed.open(), bed.open()];
      for (const node of [a, b]) await node.beat();
      const { member } = await a.join(lobby, 'ann', 'phone', 'null');
      if (how === 'was away') bed.away(a);
      else await store.bury(a.id);
      bed.back(a);
      await a.beat();
      await a.leave(member, onPurpose);
      await b.join(lobby, 'ann', 'tablet', 'null'); // it tells again later
      await pass(2 * LEASE);
      expect(await store.users).toEqual(['ann']);
      expect(store.told).toHaveLength(1);
      await b.leave(b.members.in(lobby)[0]!, onPurpose);
      expect(await store.users).toEqual([]);
    },
  );

  it('tells of a device one thing after the other, and in the end what is true', async () => {
    const a = bed.open();
    let answer!: () => void;
    store.slow = new Promise((resolve) => (answer = resolve));
    const joining = a.join(lobby, 'ann', 'phone', 'null');
    const [member] = a.members.in(lobby);
    const updating = a.update(member!, '1');
    const leaving = a.leave(member!, onPurpose);
    answer();
    await Promise.all([joining, updating, leaving]);
    expect(await store.users).toEqual([]);
    expect(a.members.size).toBe(0);
    const again = await a.join(lobby, 'ann', 'phone', 'null');
    expect(await store.users).toEqual(['ann']);
    await a.update(again.member, '2');
    expect((await store.devices(lobby))[0]!.meta).toBe(2);
  });

  it('joins a device twice with one word to the store', async () => {
    const a = bed.open();
    const join = jest.spyOn(store, 'join');
    const [one, two] = [await a.join(lobby, 'ann', 'phone', 'null'), await a.join(lobby, 'ann', 'phone', 'null')];
    expect([join.mock.calls.length, two.version]).toEqual([1, one.version]);
    await a.leave(one.member, onPurpose);
    expect(await store.users).toEqual(['ann']);
    await a.leave(two.member, onPurpose);
    expect(await store.users).toEqual([]);
  });

  it('survives what is wrong in a store, and says so', async () => {
    const a = bed.open();
    jest.spyOn(store, 'join').mockRejectedValue(new TypeError('a bug'));
    await expect(a.join(lobby, 'ann', 'phone', 'null')).rejects.toThrow('a bug');
    expect(a.members.size).toBe(0);
    jest.spyOn(store, 'beat').mockRejectedValue(new TypeError('another'));
    await a.beat();
    expect(bed.logged.some((line) => line.includes('another'))).toBe(true);
  });
});
