import { isSpec, libs, read, sources, withoutComments } from './tree.js';

const shipped = libs
  .filter((lib) => lib !== 'libs/testing')
  .flatMap((lib) => sources(`${lib}/src`))
  .filter((path) => !isSpec(path))
  .map((path) => withoutComments(read(path)))
  .join('\n');
const documented = read('docs/observability.md');

function names(text: string, pattern: RegExp): string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, name]) => name!))].sort();
}

describe('docs/observability.md', () => {
  it('lists every metric, and none that is gone', () => {
    const exported = names(shipped, /'(roost_[a-z]+_[a-z_]+)'/g);
    expect(exported.length).toBeGreaterThan(10);
    expect(names(documented, /^\| `(roost_[a-z_]+)`/gm)).toEqual(exported);
  });

  it('lists every diagnostics channel, and none that is gone', () => {
    const published = names(shipped, /\bchannel\('(roost:[^']+)'\)/g);
    expect(published.length).toBeGreaterThan(0);
    expect(names(documented, /^\| `(roost:[a-z:-]+)`/gm)).toEqual(published);
  });
});
