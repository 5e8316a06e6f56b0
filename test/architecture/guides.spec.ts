import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { read } from './tree.js';

const project = resolve(__dirname, '../..');
const guides = readdirSync(resolve(project, 'docs/guides')).filter((name) => name.endsWith('.md'));

/** Every sample in TypeScript, as a file beside the tests: a sample stands for itself, with its imports. */
const samples = new Map(
  guides.flatMap((guide) =>
    [...read(`docs/guides/${guide}`).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code], index) => [
      resolve(project, `test/${guide.replace('.md', '')}-${index + 1}.ts`),
      code!,
    ]),
  ),
);

const wrong = resolve(project, 'test/wrong.ts');
const files = new Map([
  ...samples,
  [wrong, `import { ThrottleModule } from '@roost/throttle';\nThrottleModule.forRoot({ policy: {} });`],
]);

/** What the compiler finds in each file, all compiled in one go. */
function compile(): ReadonlyMap<string, readonly string[]> {
  const { config } = ts.readConfigFile(resolve(project, 'tsconfig.spec.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['none'] }, ts.sys, project);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, ...rest) =>
    files.has(name) ? ts.createSourceFile(name, files.get(name)!, rest[0]) : getSourceFile(name, ...rest);
  const program = ts.createProgram([...files.keys()], options, host);
  return new Map(
    [...files.keys()].map((name) => {
      const source = program.getSourceFile(name);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))];
    }),
  );
}

describe('the samples of docs/guides', () => {
  let problems: ReadonlyMap<string, readonly string[]>;
  beforeAll(() => {
    problems = compile();
  }, 120_000);

  it('are found in every guide', () => {
    expect(guides.filter((guide) => !read(`docs/guides/${guide}`).includes('```ts'))).toEqual([]);
    expect(samples.size).toBeGreaterThanOrEqual(guides.length);
  });

  it('compile', () => {
    expect([...samples.keys()].flatMap((name) => problems.get(name)!)).toEqual([]);
  });

  it('would be seen not to compile', () => {
    expect(problems.get(wrong)!.join()).toMatch(/'policy' does not exist/);
  });
});
