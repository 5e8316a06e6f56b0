import { eventually } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { Doubts } from './doubts.js';

const soon = { within: 1_000, every: 2 };

function open() {
  const asked: { present: ReadonlySet<string> | undefined } = { present: new Set() };
  const gone: { readonly userIds: readonly string[]; readonly at: number }[] = [];
  const doubts = new Doubts({
    confirmMs: 100,
    ask: () => Promise.resolve(asked.present),
    gone: (userIds) => void gone.push({ userIds, at: performance.now() }),
  });
  return { doubts, asked, gone };
}

describe('users who are missing when a room is read anew', () => {
  it('have each the whole time to be told again', async () => {
    const { doubts, gone } = open();
    const startedAt = performance.now();
    doubts.add('ann');
    await sleep(50);
    const laterAt = performance.now();
    doubts.add('ben');
    doubts.add('ann'); // missing again, and no younger for that
    await eventually(() => gone.length === 2, soon);
    expect(gone.map(({ userIds }) => userIds)).toEqual([['ann'], ['ben']]);
    expect(gone[0]!.at - startedAt).toBeGreaterThanOrEqual(99);
    expect(gone[1]!.at - laterAt).toBeGreaterThanOrEqual(99);
  });

  it('are not gone when they are heard of, or stand in the state, and as long as nobody can say', async () => {
    const { doubts, asked, gone } = open();
    asked.present = undefined;
    for (const userId of ['heard', 'there', 'gone']) doubts.add(userId);
    await sleep(150);
    doubts.delete('heard');
    asked.present = new Set(['there']);
    expect(gone).toEqual([]);
    await eventually(() => gone.length === 1, soon);
    expect(gone[0]!.userIds).toEqual(['gone']);
    doubts.close();
  });
});
