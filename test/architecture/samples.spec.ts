import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { grantedTo } from './samples.granted.js';
import { compile, samplesIn } from './samples.js';
import { libs } from './tree.js';

const guides = readdirSync(resolve(__dirname, '../../docs/guides'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/guides/${name}`);
const readmes = libs.map((lib) => `${lib}/README.md`);

/** Every sample as a file. */
const samples = new Map([
  ...guides.flatMap((guide) => filesOf(guide, (code) => code)), // it stands for itself, with its imports
  ...readmes.flatMap((readme) => filesOf(readme, (code) => grantedTo(readme.split('/')[1]!, code))),
]);

function filesOf(document: string, whole: (code: string) => string): [string, string][] {
  const name = document.replace(/\.md$/, '').replaceAll('/', '-');
  return samplesIn(document).map((code, index) => [`${name}-${index + 1}.ts`, whole(code)]);
}

describe('the samples of docs/guides, and of the READMEs of the libs', () => {
  let problems: ReadonlyMap<string, readonly string[]>;
  beforeAll(() => {
    const wrong = `import { ThrottleModule } from '@roost/throttle';\nThrottleModule.forRoot({ policy: {} });`;
    problems = compile(new Map([...samples, ['wrong.ts', wrong]]));
  }, 120_000);

  it('are found in every one', () => {
    const documents = [...guides, ...readmes];
    expect(documents.filter((document) => samplesIn(document).length === 0)).toEqual([]);
    expect(samples.size).toBeGreaterThan(documents.length);
  });

  it.each([...samples.keys()])('compile: %s', (name) => {
    expect(problems.get(name)).toEqual([]);
  });

  it('would be seen not to compile', () => {
    expect(problems.get('wrong.ts')!.join()).toMatch(/'policy' does not exist/);
  });
});
