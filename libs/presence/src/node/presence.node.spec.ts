import { eventually } from '@roost/testing';
import { roomTopic } from '../stores/topics.js';
import { Flaky, lobby } from './node.testbed.js';
import { PresenceNode } from './presence.node.js';

const LEASE = 60;
const config = { leaseMs: LEASE, beatMs: 10, goneAfterMs: LEASE };
const onPurpose = { onPurpose: true } as const;

describe('PresenceNode', () => {
  const logged: string[] = [];
  let store: Flaky;
  let reachable: boolean;
  beforeEach(() => {
    store = new Flaky();
    reachable = true;
  });
  const open = () => {
    const say = (message: string) => void logged.push(message);
    const logger = { log: say, warn: say, error: say };
    return new PresenceNode({ config, store, reachable: () => reachable, metrics: { swept: () => undefined }, logger });
  };
  const away = (node: PresenceNode) => {
    reachable = false;
    node.reachabilityChanged();
  };
  const back = (node: PresenceNode) => {
    reachable = true;
    node.reachabilityChanged();
  };
  const pass = (ms: number) => {
    const until = performance.now() + ms;
    return eventually(() => performance.now() > until, { within: ms + 500, every: 5 });
  };

  /** Two nodes, of which the second has a user, and is not heard of any more once this resolves. */
  async function oneOfTwo(): Promise<PresenceNode> {
    const [a, b] = [open(), open()];
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
    const [a, b] = [open(), open()];
    await b.join(lobby, 'ben', 'phone', 'null');
    for (let i = 0; i < 3; i++) {
      await a.beat();
      await b.beat();
      await pass(LEASE / 2);
    }
    store.clock.ms += 10 * LEASE;
    reachable = false;
    a.reachabilityChanged();
    await a.beat();
    reachable = true;
    a.reachabilityChanged();
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
    const a = open();
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
    const a = open();
    await a.beat();
    away(a);
    const [ann, ben, cat] = await Promise.all(
      ['ann', 'ben', 'cat'].map((user) => a.join(lobby, user, 'phone', 'null')),
    );
    await a.leave(ann!.member, { onPurpose: false, silentMs: 0 });
    await a.leave(ben!.member, onPurpose);
    await a.leave(cat!.member, { onPurpose: false, silentMs: LEASE });
    back(a);
    await a.beat();
    expect(await store.users).toEqual(['ann']);
    await a.join(lobby, 'ann', 'tablet', 'null'); // the same user, in time
    expect(store.told).toHaveLength(1);
  });

  it('takes nobody away who lost the connection while the store was away, and is here again', async () => {
    const a = open();
    await a.beat();
    const { member } = await a.join(lobby, 'ann', 'phone', 'null');
    away(a);
    await a.leave(member, { onPurpose: false, silentMs: 0 });
    await a.join(lobby, 'ann', 'phone', 'null');
    back(a);
    await a.beat();
    expect(await store.devices(lobby)).toHaveLength(1);
    store.clock.ms += 10 * LEASE;
    await store.expire(lobby);
    expect(await store.users).toEqual(['ann']);
  });

  it('case 66: tells nobody to be gone before others had the time to tell who came to them', async () => {
    const [a, b] = [open(), open()];
    for (const node of [a, b]) await node.beat();
    const { member } = await a.join(lobby, 'ann', 'phone', 'null');
    await a.leave(member, { onPurpose: false, silentMs: 0 });
    for (const node of [a, b]) away(node);
    await b.join(lobby, 'ann', 'phone', 'null');
    store.clock.ms += 10 * LEASE;
    reachable = true;
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

  it.each(['has forgotten', 'was away'])(
    'who leaves on purpose just after the store %s may be with others',
    async (how) => {
      const [a, b] = [open(), open()];
      for (const node of [a, b]) await node.beat();
      const { member } = await a.join(lobby, 'ann', 'phone', 'null');
      if (how === 'was away') away(a);
      else await store.bury(a.id);
      back(a);
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
    const a = open();
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
    const a = open();
    const join = jest.spyOn(store, 'join');
    const [one, two] = [await a.join(lobby, 'ann', 'phone', 'null'), await a.join(lobby, 'ann', 'phone', 'null')];
    expect([join.mock.calls.length, two.version]).toEqual([1, one.version]);
    await a.leave(one.member, onPurpose);
    expect(await store.users).toEqual(['ann']);
    await a.leave(two.member, onPurpose);
    expect(await store.users).toEqual([]);
  });

  it('case 65: at its end takes all away together, and nothing comes after', async () => {
    const [a, b] = [open(), open()];
    await a.beat();
    await b.beat();
    const members = await Promise.all(['ann', 'ben', 'cat'].map((user) => a.join(lobby, user, 'phone', 'null')));
    a.close();
    await Promise.all(members.map(({ member }) => a.leave(member, { onPurpose: false, silentMs: 0 })));
    expect(store.told).toHaveLength(3);
    await a.leaveAll();
    expect(await store.users).toHaveLength(3); // there is another one, to which they may come
    await b.leaveAll();
    await a.join(roomTopic('other'), 'late', 'phone', 'null');
    expect(await store.users).toEqual(['ann', 'ben', 'cat']);
    expect(await store.ownedBy(a.id)).toEqual([lobby]); // for the other one, who looks after the graces
  });

  it('at its end just after the store was away, leaves the last word to those who may be there', async () => {
    const a = open();
    await a.beat();
    await a.join(lobby, 'ann', 'phone', 'null');
    away(a);
    back(a);
    await a.leaveAll();
    expect(await store.users).toEqual(['ann']);
    const b = open();
    await b.join(lobby, 'ann', 'tablet', 'null');
    await b.beat();
    store.clock.ms += 10 * LEASE;
    const isSwept = () => b.beat().then(async () => (await store.ownedBy(a.id)).length === 0);
    await eventually(isSwept, { within: 5_000, every: LEASE / 2 });
    expect([await store.users, store.told.length]).toEqual([['ann'], 1]);
  });

  it('survives what is wrong in a store, and says so', async () => {
    const a = open();
    jest.spyOn(store, 'join').mockRejectedValue(new TypeError('a bug'));
    await expect(a.join(lobby, 'ann', 'phone', 'null')).rejects.toThrow('a bug');
    expect(a.members.size).toBe(0);
    jest.spyOn(store, 'beat').mockRejectedValue(new TypeError('another'));
    await a.beat();
    expect(logged.some((line) => line.includes('another'))).toBe(true);
  });
});
