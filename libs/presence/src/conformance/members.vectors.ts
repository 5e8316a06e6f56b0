import { expect } from '@jest/globals';
import { AT_ONCE, DROPPED, REPLAY, vectorsOf } from './bench.js';

/** What a store promises of the members of a topic. */
export const memberVectors = vectorsOf({
  'case 49: nine devices of two users on two nodes are two joins': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    for (let i = 0; i < 9; i++) {
      const node = bench.node(i % 2 === 0 ? 'here' : 'there');
      await bench.store.join(bench.room(), bench.member(i < 6 ? 'ann' : 'ben', `device-${i}`, { node }));
    }
    await settled(heard, 2);
    expect(heard.map(({ joins }) => joins)).toEqual([['ann'], ['ben']]);
    expect(await bench.users()).toEqual(['ann', 'ben']);
    expect(await bench.store.count(bench.room())).toBe(2);
    expect(await bench.store.devices(bench.room())).toHaveLength(9);
  },

  'case 50: the last of six devices of a user is the leave, and no other': async (bench) => {
    const devices = Array.from({ length: 6 }, (_, i) => bench.member('ann', `device-${i}`));
    for (const device of devices) await bench.store.join(bench.room(), device);
    const told = [];
    for (const device of devices) told.push((await bench.store.leave(bench.room(), device, AT_ONCE)).told);
    expect(told).toEqual([0, 0, 0, 0, 0, 1]);
    expect(await bench.users()).toEqual([]);
  },

  'case 53: who is back within the grace was never away; who is not is told to leave once': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    await bench.store.join(bench.room(), bench.member('ann'));
    expect(await bench.store.leave(bench.room(), bench.member('ann'), DROPPED)).toMatchObject({ told: 0 });
    expect(await bench.users()).toEqual(['ann']);
    await bench.opened.pass(9_000);
    expect((await bench.store.join(bench.room(), bench.member('ann', 'reloaded'))).told).toBe(0);
    await bench.opened.pass(5_000);
    expect(await bench.store.expire(bench.room())).toMatchObject({ told: 0, graceMs: null });

    const { graceMs } = await bench.store.leave(bench.room(), bench.member('ann', 'reloaded'), DROPPED);
    expect(graceMs).toBeGreaterThan(9_500);
    await bench.opened.pass(9_000);
    expect((await bench.store.expire(bench.room())).told).toBe(0);
    await bench.opened.pass(1_001);
    expect((await bench.store.expire(bench.room())).told).toBe(1);
    expect((await bench.store.expire(bench.room())).told).toBe(0);
    await settled(heard, 2);
    expect(heard.map(({ joins, leaves }) => [joins, leaves])).toEqual([
      [['ann'], []],
      [[], ['ann']],
    ]);
  },

  'a grace begins with the last sign of life, not when its end was noticed': async (bench) => {
    await bench.store.join(bench.room(), bench.member('ann'));
    await bench.store.join(bench.room(), bench.member('ben'));
    const late = { silentMs: 7_000, goneAfterMs: 10_000 };
    const { graceMs } = await bench.store.leave(bench.room(), bench.member('ann'), late);
    expect(graceMs).toBeGreaterThan(2_000);
    expect(graceMs).toBeLessThanOrEqual(3_000);
    expect((await bench.store.leave(bench.room(), bench.member('ben'), { ...late, silentMs: 10_000 })).told).toBe(1);
  },

  'a user whose other device was lost a moment ago is not gone when this one leaves on purpose': async (bench) => {
    await bench.store.join(bench.room(), bench.member('ann', 'phone'));
    await bench.store.join(bench.room(), bench.member('ann', 'tablet'));
    await bench.store.leave(bench.room(), bench.member('ann', 'phone'), DROPPED);
    expect((await bench.store.leave(bench.room(), bench.member('ann', 'tablet'), AT_ONCE)).told).toBe(0);
    await bench.opened.pass(10_001);
    expect((await bench.store.expire(bench.room())).told).toBe(1);
  },

  'the user of a device that the store does not know, or not any more, has a grace like every other': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    const late = { silentMs: 4_000, goneAfterMs: 10_000 };
    const { told, graceMs } = await bench.store.leave(bench.room(), bench.member('ann'), late);
    expect([told, Math.round(graceMs! / 1_000)]).toEqual([1, 6]);
    expect((await bench.store.leave(bench.room(), bench.member('ann', 'tablet'), DROPPED)).told).toBe(0);
    expect((await bench.store.leave(bench.room(), bench.member('ben'), { ...late, silentMs: 10_000 })).told).toBe(0);
    expect(await bench.users()).toEqual(['ann']);
    await bench.opened.pass(6_500);
    expect((await bench.store.expire(bench.room())).told).toBe(0); // the last sign of life is what counts
    await bench.store.join(bench.room(), bench.member('ann'));
    await bench.store.leave(bench.room(), bench.member('ann', 'unheard-of'), DROPPED);
    await bench.opened.pass(10_001);
    expect((await bench.store.expire(bench.room())).told).toBe(0);
    expect((await bench.store.leave(bench.room(), bench.member('ann'), AT_ONCE)).told).toBe(1);
    await settled(heard, 2);
    expect(heard.map(({ joins, leaves }) => [joins, leaves])).toEqual([
      [['ann'], []],
      [[], ['ann']],
    ]);
  },

  'a grace that ends while another device is there ends nothing': async (bench) => {
    await bench.store.join(bench.room(), bench.member('ann', 'phone'));
    await bench.store.join(bench.room(), bench.member('ann', 'tablet'));
    await bench.store.leave(bench.room(), bench.member('ann', 'phone'), DROPPED);
    await bench.opened.pass(10_001);
    expect(await bench.store.expire(bench.room())).toMatchObject({ told: 0, graceMs: null });
    expect(await bench.users()).toEqual(['ann']);
  },

  'at an end all graces can be ended at once': async (bench) => {
    await bench.store.join(bench.room(), bench.member('ann'));
    await bench.store.leave(bench.room(), bench.member('ann'), DROPPED);
    expect(await bench.store.expire(bench.room(), true)).toMatchObject({ told: 1, graceMs: null });
  },

  'case 54: leaving twice, or without having been there, changes nothing and counts nobody below zero': async (
    bench,
  ) => {
    await bench.store.join(bench.room(), bench.member('ann', 'phone'));
    await bench.store.join(bench.room(), bench.member('ann', 'tablet'));
    for (let i = 0; i < 3; i++) await bench.store.leave(bench.room(), bench.member('ann', 'phone'), AT_ONCE);
    expect((await bench.store.leave(bench.room(), bench.member('zoe'), AT_ONCE)).told).toBe(0);
    expect(await bench.users()).toEqual(['ann']);
    expect((await bench.store.leave(bench.room(), bench.member('ann', 'tablet'), AT_ONCE)).told).toBe(1);
    expect((await bench.store.join(bench.room(), bench.member('ann', 'phone'))).told).toBe(1);
  },

  'joining again is no join, also not as another incarnation of the node': async (bench) => {
    await bench.store.join(bench.room(), bench.member('ann'));
    const again = bench.member('ann', 'phone', { node: bench.node('here', 2) });
    expect((await bench.store.join(bench.room(), again)).told).toBe(0);
    expect((await bench.store.leaveNode(bench.room(), bench.node('here', 1), 0, 0)).told).toBe(0);
    expect(await bench.users()).toEqual(['ann']);
  },

  'a device that is on two nodes is one, and there until both have taken it away': async (bench) => {
    for (const first of ['here', 'there'] as const) {
      const nodes = { here: bench.node(), there: bench.node('there') };
      const last = first === 'here' ? 'there' : 'here';
      for (const node of Object.values(nodes)) {
        await bench.store.join(bench.room(), bench.member('ann', 'phone', { node }));
      }
      expect(await bench.store.devices(bench.room())).toHaveLength(1);
      const leave = (node: string) => bench.store.leave(bench.room(), bench.member('ann', 'phone', { node }), AT_ONCE);
      expect([(await leave(nodes[first])).told, (await leave(nodes[first])).told]).toEqual([0, 0]);
      expect(await bench.users()).toEqual(['ann']);
      expect((await leave(nodes[last])).told).toBe(1);
    }
  },

  'case 58: an update is told once, and of one device': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    await bench.store.join(bench.room(), bench.member('ann', 'phone', { meta: '{"mood":"😀"}' }));
    await bench.store.join(bench.room(), bench.member('ann', 'tablet', { meta: '"still"' }));
    const away = bench.member('ann', 'phone', { meta: '{"mood":null}' });
    expect([
      (await bench.store.join(bench.room(), away)).told,
      (await bench.store.join(bench.room(), away)).told,
    ]).toEqual([1, 0]);
    await settled(heard, 2);
    expect(heard[1]).toMatchObject({
      joins: [],
      leaves: [],
      updates: [{ userId: 'ann', deviceId: 'phone', meta: { mood: null } }],
    });
    const devices = await bench.store.devices(bench.room());
    expect(devices).toContainEqual({ userId: 'ann', deviceId: 'phone', meta: { mood: null } });
    expect(devices).toContainEqual({ userId: 'ann', deviceId: 'tablet', meta: 'still' });
  },

  'case 57: users with names of any kind are kept apart': async (bench) => {
    const names = ['__proto__', 'constructor', 'a:b', 'a', 'b', '{a}', '"', '\\', 'é', '👩‍🚀', '0', '10'];
    const heard = await bench.opened.listen(bench.room());
    for (const name of names) await bench.store.join(bench.room(), bench.member(name, 'x:y'));
    await settled(heard, names.length);
    expect(heard.flatMap(({ joins }) => joins)).toEqual(names);
    expect(await bench.users()).toEqual([...names].sort());
    for (const name of names) await bench.store.leave(bench.room(), bench.member(name, 'x:y'), AT_ONCE);
    expect(await bench.users()).toEqual([]);
    expect(await bench.users(bench.room('__proto__'))).toEqual([]);
  },

  'versions count the changes of a room, and every one is told': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    const { version } = await bench.store.join(bench.room(), bench.member('ann'));
    await bench.store.join(bench.room(), bench.member('ann', 'tablet'));
    await bench.store.join(bench.room(), bench.member('ben'));
    await settled(heard, 2);
    expect(heard.map((diff) => diff.version)).toEqual([version, version + 1]);
    expect((await bench.store.state(bench.room())).version).toBe(version + 1);
  },

  'the last changes are known, and what lies further back is not made up': async (bench) => {
    const { version } = await bench.store.join(bench.room(), bench.member('ann'));
    for (let i = 0; i < 3; i++) await bench.store.join(bench.room(), bench.member(`user-${i}`));
    const since = (await bench.store.since(bench.room(), version)) ?? [];
    expect(since.map(({ joins }) => joins[0])).toEqual(['user-0', 'user-1', 'user-2']);
    expect(await bench.store.since(bench.room(), version + 3)).toEqual([]);
    expect(await bench.store.since(bench.room(), version - 5)).toBeUndefined();
    expect(await bench.store.since(bench.room(), version + 9)).toBeUndefined();
    for (let i = 0; i < 200 + REPLAY; i++) await bench.store.join(bench.room(), bench.member(`more-${i}`));
    expect(await bench.store.since(bench.room(), version)).toBeUndefined();
  },

  'lists of who is online remember when users were last seen': async (bench) => {
    const [ann, topic] = [bench.user('ann'), bench.online('ann')];
    expect(await bench.store.lastSeen(topic, ann)).toBeNull();
    await bench.store.join(topic, bench.member(ann));
    expect(await bench.store.among(topic, [ann, bench.user('zoe')])).toEqual([ann]);
    await bench.store.leave(topic, bench.member(ann), { silentMs: 4_000, goneAfterMs: 10_000 });
    expect(await bench.store.among(topic, [ann])).toEqual([ann]);
    await bench.opened.pass(6_001);
    await bench.store.expire(topic);
    expect(await bench.store.among(topic, [ann])).toEqual([]);
    const seen = await bench.store.lastSeen(topic, ann);
    expect(Math.abs((await bench.store.now()) - 4_000 - seen!)).toBeLessThan(7_000);
  },
});

/** Waits until so many diffs were heard. */
export async function settled(heard: readonly unknown[], count: number): Promise<void> {
  for (const until = Date.now() + 1_000; heard.length < count && Date.now() < until;) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, 10)); // for those that should not come
  expect(heard).toHaveLength(count);
}
