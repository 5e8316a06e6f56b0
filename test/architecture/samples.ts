import { resolve } from 'node:path';
import ts from 'typescript';
import { read } from './tree.js';

const project = resolve(__dirname, '../..');

/** The samples in TypeScript of a document, in their order. */
export function samplesIn(document: string): string[] {
  return [...read(document).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

/**
 * What the compiler finds in each file, all compiled in one go, by the rules of the tests and as if they lay beside those.
 * @param files name without a folder → code
 */
export function compile(files: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const { config } = ts.readConfigFile(resolve(project, 'tsconfig.spec.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: ['none'] }, ts.sys, project);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const placed = new Map([...files].map(([name, code]) => [resolve(project, 'test', name), code]));
  host.fileExists = (path) => placed.has(path) || fileExists(path);
  host.readFile = (path) => placed.get(path) ?? readFile(path);
  host.getSourceFile = (path, ...rest) =>
    placed.has(path) ? ts.createSourceFile(path, placed.get(path)!, rest[0]) : getSourceFile(path, ...rest);
  const program = ts.createProgram([...placed.keys()], options, host);
  return new Map(
    [...files.keys()].map((name) => {
      const source = program.getSourceFile(resolve(project, 'test', name));
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))];
    }),
  );
}
