import { isSpec, libs, read, sources, withoutComments } from './tree.js';

interface ErrorClassFound {
  readonly name: string;
  readonly parent: string | undefined;
  readonly code: string | undefined;
  readonly path: string;
  readonly exportedAt: string | undefined;
}

/** The classes of a file with their `code`; as prettier lays them out, a class begins at the first column. */
function classesIn(path: string, exportedAt?: string): ErrorClassFound[] {
  const chunks = withoutComments(read(path)).split(/^(?=(?:export )?(?:default )?(?:abstract )?class \w)/m);
  return chunks.flatMap((chunk) => {
    const [, name, parent] = /^[a-z ]*class (\w+)(?:<.*?>)?(?: extends (\w+))?/.exec(chunk) ?? [];
    // A code that is no plain string is taken as it stands, and refused for its form below.
    const [, text, other] = /\bstatic (?:override )?readonly code(?:: string)? = (?:'([^']*)'|(.+));/.exec(chunk) ?? [];
    return name ? [{ name, parent, code: text ?? other, path, exportedAt }] : [];
  });
}

const classes = [
  ...libs.flatMap((lib) => shipped(`${lib}/src`).flatMap((path) => classesIn(path, `${lib}/src/index.ts`))),
  ...shipped('src').flatMap((path) => classesIn(path)),
];
const coded = classes.filter((found) => found.code !== undefined);

/** `## code` to the next heading of its level. */
const sections = new Map(
  read('docs/errors.md')
    .replace(/^```[\s\S]*?^```$/gm, '')
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')).trim(), text] as const),
);

function shipped(folder: string): string[] {
  return sources(folder).filter((path) => !isSpec(path));
}

describe('error codes', () => {
  it('are found', () => {
    expect(coded.map(({ name }) => name)).toEqual(expect.arrayContaining(['InvalidOptionsError', 'RedisTimeoutError']));
  });

  it('read like "lib.what-happened"', () => {
    expect(coded.filter(({ code }) => !/^[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*$/.test(code ?? ''))).toEqual([]);
  });

  it('are unique', () => {
    const codes = coded.map(({ code }) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
  });

  it('are declared by every heir of a coded error, so that none carries the code of its parent', () => {
    const bases = ['RoostError', ...coded.map(({ name }) => name)];
    const heirs = classes.filter(
      ({ parent, code }) => parent !== undefined && bases.includes(parent) && code === undefined,
    );
    expect(heirs.map(({ name, path }) => `${name} in ${path}`)).toEqual([]);
  });

  it('belong to classes that their lib exports', () => {
    const hidden = coded.filter(
      ({ name, exportedAt }) => exportedAt && !new RegExp(`\\b${name}\\b`).test(read(exportedAt)),
    );
    expect(hidden.map(({ name, path }) => `${name} in ${path}`)).toEqual([]);
  });

  it.each(coded.map((found) => [found.code, found.name] as const))('%s is documented', (code, name) => {
    const section = sections.get(code ?? '');
    expect(section).toBeDefined();
    expect(section).toContain(`\`${name}\``);
    for (const part of ['Meaning', 'Causes', 'Fix'])
      expect(section).toMatch(new RegExp(`^\\*\\*${part}\\.\\*\\* \\S.+$`, 'm'));
  });

  it('leave no stale section behind', () => {
    const codes = coded.map(({ code }) => code);
    expect([...sections.keys()].filter((code) => !codes.includes(code))).toEqual([]);
  });
});
