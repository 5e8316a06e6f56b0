import { apps, exists, foldersBelow, isSpec, libs, read, readJson, sources, withoutComments } from './tree.js';

const libSources = libs.flatMap((lib) => sources(`${lib}/src`));
const shipped = [...libSources, ...apps.flatMap((app) => sources(`${app}/src`)), ...sources('src')];
const everything = [...shipped, ...sources('test')];

/** `path:line` of each line of code that matches. */
function lines(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) => {
    const code = withoutComments(read(path)).split('\n');
    return code.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : []));
  });
}

describe('the house', () => {
  it('has libs and apps to look at', () => {
    expect(libs).toEqual(expect.arrayContaining(['libs/health', 'libs/redis', 'libs/testing', 'libs/throttle']));
    expect(apps).toEqual(expect.arrayContaining(['apps/bench', 'apps/cli']));
  });

  it('keeps every file within 250 lines', () => {
    const long = everything.filter((path) => !isSpec(path) && read(path).trimEnd().split('\n').length > 250);
    expect(long).toEqual([]);
  });

  it('lists exports by name', () => {
    expect(lines(everything, /^\s*export\s+(type\s+)?\*/)).toEqual([]);
  });

  it('prints and reads no environment in libs', () => {
    const quiet = libSources.filter((path) => !isSpec(path));
    expect(lines(quiet, /\bconsole\s*\./)).toEqual([]);
    // The servers and services that libs/testing starts are given an environment: that is its trade.
    const blind = quiet.filter((path) => !path.startsWith('libs/testing/'));
    expect(lines(blind, /\bprocess\s*\.\s*env\b/)).toEqual([]);
  });

  it('focuses and skips no test', () => {
    const specs = everything.filter(isSpec);
    expect(
      lines(specs, /\b(?:describe|it|test)\.(?:only|skip|todo|failing)\b|^\s*(?:f|x)(?:describe|it|test)\(/),
    ).toEqual([]);
  });

  it('has no folder for one file in a lib', () => {
    const lonely = libs
      .flatMap((lib) => foldersBelow(`${lib}/src`))
      .filter((folder) => {
        return sources(folder).filter((path) => !isSpec(path)).length < 2;
      });
    expect(lonely).toEqual([]);
  });

  it('names no file after nothing', () => {
    const vague = everything.filter((path) => /(?:^|\/|\.)(?:utils?|helpers?|shared|misc)(?:\/|\.ts$)/.test(path));
    expect(vague).toEqual([]);
  });
});

describe.each(libs)('%s', (lib) => {
  interface Manifest {
    readonly name: string;
    readonly exports: Record<string, { '@roost/source': string; types: string; default: string }>;
  }
  const manifest = readJson<Manifest>(`${lib}/package.json`);
  const own = sources(`${lib}/src`).filter((path) => !isSpec(path));

  it('has a README, and the licence that its package carries', () => {
    expect(exists(`${lib}/README.md`)).toBe(true);
    expect(read(`${lib}/LICENSE`)).toBe(read('LICENSE'));
  });

  it('is known to Nest and to the compiler', () => {
    const nest = readJson<{ projects: Record<string, { root: string }> }>('nest-cli.json');
    expect(Object.values(nest.projects).map(({ root }) => root)).toContain(lib);
    const solution = readJson<{ references: { path: string }[] }>('tsconfig.json');
    expect(solution.references.map(({ path }) => path)).toContain(lib);
  });

  it('exports sources that exist, and the same file built', () => {
    expect(Object.keys(manifest.exports)).toContain('.');
    for (const { '@roost/source': source, types, default: built } of Object.values(manifest.exports)) {
      expect(exists(`${lib}/${source}`)).toBe(true);
      const out = source.replace('./src/', './dist/').replace(/\.ts$/, '');
      expect([types, built]).toEqual([`${out}.d.ts`, `${out}.js`]);
    }
  });

  it('lists every kind of key it declares in an exported array', () => {
    const code = own.map((path) => withoutComments(read(path)));
    // Every call, save the declaration of `defineKey` itself and its mention in a message.
    const calls = code.flatMap((text) => [...text.matchAll(/(?<!function |[`'"\w])defineKey(?:<[^>(]*>)?\(/g)]);
    const declared = code.flatMap((text) =>
      [...text.matchAll(/\bconst (\w+)\s*=\s*defineKey\b/g)].map(([, name]) => name),
    );
    const arrays = code.flatMap((text) => [...text.matchAll(/^export const (\w*Keys)\b[^=]*=[^[]*\[([^\]]*)\]/gm)]);
    const listed = arrays.flatMap(([, , members]) => members?.match(/\w+/g) ?? []);
    const index = withoutComments(read(`${lib}/src/index.ts`));

    expect(calls).toHaveLength(declared.length);
    expect(declared.filter((name) => name && !listed.includes(name))).toEqual([]);
    expect(arrays.map(([, name]) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(index))).toEqual([]);
  });
});

describe.each([...libs, ...apps])('%s', (workspace) => {
  interface Manifest {
    readonly dependencies?: Record<string, string>;
    readonly peerDependencies?: Record<string, string>;
  }
  const code = sources(`${workspace}/src`)
    .filter((path) => !isSpec(path) && !path.endsWith('.testbed.ts'))
    .map((path) => withoutComments(read(path)));
  const imports = code.flatMap((text) => [...text.matchAll(/\b(?:from|import) '@roost\/([\w-]+)/g)]);
  const imported = [...new Set(imports.map(([, lib = '']) => lib))];

  it('declares the libs it imports, to npm and to the compiler', () => {
    const { dependencies, peerDependencies } = readJson<Manifest>(`${workspace}/package.json`);
    const declared = Object.keys({ ...dependencies, ...peerDependencies });
    const { references } = readJson<{ references: { path: string }[] }>(`${workspace}/tsconfig.json`);
    const referenced = references.map(({ path }) => path.split('/').at(-1));

    expect(imported.filter((lib) => !declared.includes(`@roost/${lib}`))).toEqual([]);
    expect(imported.filter((lib) => !referenced.includes(lib))).toEqual([]);
  });
});

describe('package-lock.json', () => {
  interface Entry {
    readonly resolved?: string;
    readonly optionalDependencies?: Record<string, string>;
  }
  const { packages } = readJson<{ packages: Record<string, Entry> }>('package-lock.json');

  it('names no registry', () => {
    expect(Object.keys(packages).filter((path) => packages[path]?.resolved?.includes('://'))).toEqual([]);
  });

  it('holds every platform, so that `npm ci` accepts it (else: node scripts/complete-lock.mjs)', () => {
    const optional = Object.values(packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(optional.filter((name) => !(`node_modules/${name}` in packages))).toEqual([]);
  });
});
