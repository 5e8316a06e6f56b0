import { catalogue } from '../../apps/cli/src/keys/catalogue.js';

const templates = Object.values(catalogue).flatMap((keys) => keys.map(({ template }) => template));

/** Whether two kinds of key could ever make the same key: word by word equal, or a part on one side. */
function meet(one: string, other: string): boolean {
  const [words, others] = [one.split(':'), other.split(':')];
  const isPart = (word: string) => /^\{\w+\}$/.test(word) && !isTag(word);
  return (
    words.length === others.length &&
    words.every((word, index) => word === others[index] || isPart(word) || isPart(others[index]!))
  );
}

/** A constant hash tag stands first and looks like a part. */
function isTag(word: string): boolean {
  return templates.some((template) => template.startsWith(`${word}:`));
}

describe('the kinds of keys', () => {
  it('are found', () => expect(templates.length).toBeGreaterThan(2));

  it('never meet: no key of one kind can be a key of another', () => {
    const pairs = templates.flatMap((one, index) => templates.slice(index + 1).map((other) => [one, other] as const));
    expect(pairs.filter(([one, other]) => meet(one, other))).toEqual([]);
  });

  it('would be seen to meet', () => {
    expect([meet('user:{id}', 'user:admin'), meet('a:{x}', 'b:{y}'), meet('a:{x}', 'a:{x}:b')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
