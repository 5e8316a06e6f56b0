import { expect } from '@jest/globals';
import { vectorsOf, type Bench } from './bench.js';
import { settled } from './members.vectors.js';

const LEASE = 3_000;

/** What a store promises of nodes that die, and of those that clean up after them. */
export const nodeVectors = vectorsOf({
  'a node is known from its first sign of life on': async (bench) => {
    const node = bench.node();
    expect(await bench.store.beat(node, LEASE, false)).toEqual({ known: false, dead: [] });
    expect(await bench.store.beat(node, LEASE, false)).toEqual({ known: true, dead: [] });
    await bench.store.bury(node);
  },

  'case 51: of a dead node those leave who were only there, in one diff, and not before its lease is over': async (
    bench,
  ) => {
    const [here, dead] = [bench.node(), bench.node('dead')];
    const heard = await bench.opened.listen(bench.room());
    await alive(bench, here, dead);
    for (const user of ['ann', 'ben', 'cat']) {
      await bench.store.join(bench.room(), bench.member(user, 'there', { node: dead }));
    }
    await bench.store.join(bench.room(), bench.member('ben', 'here'));
    await bench.opened.pass(LEASE - 500);
    expect((await bench.store.beat(here, LEASE, true)).dead).toEqual([]);
    await bench.opened.pass(501);
    const [claimed] = (await bench.store.beat(here, LEASE, true)).dead;
    expect(claimed!.node).toBe(dead);
    expect(await bench.store.ownedBy(dead)).toEqual([bench.room()]);
    expect((await bench.store.leaveNode(bench.room(), dead, claimed!.seenAtMs, LEASE)).told).toBe(2);
    await bench.store.bury(dead);
    await settled(heard, 4);
    expect([...heard[3]!.leaves].sort()).toEqual(['ann', 'cat']);
    expect(await bench.users()).toEqual(['ben']);
    expect(await bench.store.ownedBy(dead)).toEqual([]);
    await bench.store.bury(here);
  },

  'users of a dead node have their grace when that is longer than the lease': async (bench) => {
    const dead = bench.node('dead');
    await bench.store.join(bench.room(), bench.member('ann', 'there', { node: dead }));
    const seenAtMs = (await bench.store.now()) - LEASE;
    const { told, graceMs } = await bench.store.leaveNode(bench.room(), dead, seenAtMs, 2 * LEASE);
    expect(told).toBe(0);
    expect(graceMs).toBeGreaterThan(LEASE - 500);
    await bench.opened.pass(LEASE + 1);
    expect((await bench.store.expire(bench.room())).told).toBe(1);
  },

  'case 52: of those who look for dead nodes one claims each, and another when that one dies, too': async (bench) => {
    const nodes = ['one', 'two', 'three'].map((name) => bench.node(name));
    await alive(bench, ...nodes, bench.node('dead'));
    await bench.opened.pass(LEASE + 1);
    for (const node of nodes) await bench.store.beat(node, LEASE, false);
    const claims = await Promise.all(nodes.map((node) => bench.store.beat(node, LEASE, true)));
    expect(claims.flatMap(({ dead }) => dead)).toHaveLength(1);
    await bench.opened.pass(10_001);
    for (const node of nodes) await bench.store.beat(node, LEASE, false);
    const again = await Promise.all(nodes.map((node) => bench.store.beat(node, LEASE, true)));
    expect(again.flatMap(({ dead }) => dead)).toEqual(claims.flatMap(({ dead }) => dead));
    for (const node of [...nodes, bench.node('dead')]) await bench.store.bury(node);
    expect((await bench.store.beat(nodes[0]!, LEASE, true)).dead).toEqual([]);
    await bench.store.bury(nodes[0]!);
  },

  'case 55: a node that was taken for dead is told, and its next incarnation keeps its members': async (bench) => {
    const heard = await bench.opened.listen(bench.room());
    const [here, paused] = [bench.node(), bench.node('paused')];
    await alive(bench, here, paused);
    await bench.store.join(bench.room(), bench.member('ann', 'phone', { node: paused }));
    await bench.opened.pass(2 * LEASE);
    expect((await bench.store.beat(here, LEASE, true)).known).toBe(true); // a lease nobody claimed goes on
    expect((await bench.store.beat(paused, LEASE, false)).known).toBe(false);
    const next = bench.node('paused', 2);
    await bench.store.join(bench.room(), bench.member('ann', 'phone', { node: next }));
    expect((await bench.store.leaveNode(bench.room(), paused, 0, 0)).told).toBe(0); // the one who claimed it comes late
    await settled(heard, 1);
    for (const node of [here, paused, next]) await bench.store.bury(node);
  },

  'a node that resigns knows whether there are others, who can claim what it left': async (bench) => {
    const [here, going] = [bench.node(), bench.node('going')];
    await alive(bench, here, going);
    expect(await bench.store.resign(going, 2_000)).toBe(true);
    expect((await bench.store.beat(here, LEASE, true)).dead).toEqual([]);
    await bench.opened.pass(2_001);
    expect((await bench.store.beat(here, LEASE, true)).dead.map(({ node }) => node)).toEqual([going]);
    expect(await bench.store.resign(here, 0)).toBe(false);
    for (const node of [here, going]) await bench.store.bury(node);
  },

  'what a node says to own can be disowned': async (bench) => {
    await bench.store.own(bench.node(), [bench.room('a'), bench.room('b')]);
    await bench.store.disown(bench.node(), [bench.room('a')]);
    expect(await bench.store.ownedBy(bench.node())).toEqual([bench.room('b')]);
    await bench.store.keep(bench.node(), [bench.room('b')]);
    await bench.store.bury(bench.node());
  },
});

async function alive(bench: Bench, ...nodes: string[]): Promise<void> {
  for (const node of nodes) {
    await bench.store.beat(node, LEASE, false);
    await bench.store.own(node, [bench.room()]);
  }
}
