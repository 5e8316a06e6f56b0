import { eventually } from '@roost/testing';
import { roomTopic } from '../stores/topics.js';
import { LEASE, lobby, NodeTestbed } from './node.testbed.js';

describe('PresenceNode at its end', () => {
  let bed: NodeTestbed;
  let store: NodeTestbed['store'];
  beforeEach(() => {
    bed = new NodeTestbed();
    store = bed.store;
  });

  it('case 65: takes all away together, and nothing comes after', async () => {
    const [a, b] = [bed.open(), bed.open()];
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

  it('just after the store was away, leaves the last word to those who may be there', async () => {
    const a = bed.open();
    await a.beat();
    await a.join(lobby, 'ann', 'phone', 'null');
    bed.away(a);
    bed.back(a);
    await a.leaveAll();
    expect(await store.users).toEqual(['ann']);
    const b = bed.open();
    await b.join(lobby, 'ann', 'tablet', 'null');
    await b.beat();
    store.clock.ms += 10 * LEASE;
    const isSwept = () => b.beat().then(async () => (await store.ownedBy(a.id)).length === 0);
    await eventually(isSwept, { within: 5_000, every: LEASE / 2 });
    expect([await store.users, store.told.length]).toEqual([['ann'], 1]);
  });
});
