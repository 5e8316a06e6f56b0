/**
 * Who may import whom: a star around `libs/redis`. Change the table first, then the code; ARCHITECTURE.md shows it as a picture.
 * `test/architecture/boundaries.spec.ts` runs these rules on the tree, and on a house that breaks each of them.
 */

/** One row per importer, the first match decides. `may` lists folders; an importer may always import itself. */
const table = [
  { importer: 'libs/redis', may: [] },
  { importer: 'libs/testing', may: ['libs/[^/]+'] },
  { importer: 'libs/[^/]+', may: ['libs/redis'] },
  { importer: 'src', may: ['libs/[^/]+'] },
  { importer: 'apps/[^/]+', may: ['libs/[^/]+'] },
];

/** npm packages that only one lib touches; the benchmarks and tests compare against them and may too. */
const owners = [
  { owner: 'libs/redis', packages: ['ioredis', 'prom-client'] },
  { owner: 'libs/queue', packages: ['bullmq'] },
];

const spec = '\\.(?:spec|testbed)\\.ts$';
const tests = [spec, '^test/'];
const ours = '^(?:libs|apps|src|test|scripts)/';
const inNpm = (name) => `(?:^|/)node_modules/${name}(?:/|$)`;

const star = table.map(({ importer, may }, row) => ({
  name: `star: ${importer}`,
  comment: `${importer} may import ${may.join(', ') || 'none of ours'}`,
  severity: 'error',
  from: { path: `^(${importer})/`, pathNot: table.slice(0, row).map((earlier) => `^${earlier.importer}/`) },
  to: { path: ours, pathNot: ['^$1/', '^libs/testing/', ...may.map((folder) => `^${folder}/`)] },
}));

const owned = owners.map(({ owner, packages }) => ({
  name: `only ${owner} imports ${packages.join(', ')}`,
  comment: 'everyone else speaks to it through the lib, so that the client can be replaced in one place',
  severity: 'error',
  from: { pathNot: [`^${owner}/`, '^apps/bench/', ...tests] },
  to: { path: packages.flatMap((name) => [inNpm(name), `^${name}$`]) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...star,
    ...owned,
    {
      name: 'testing is for tests',
      comment: 'only specs, test/ and apps/bench import @roost/testing or the conformance suite of a lib',
      severity: 'error',
      from: { pathNot: ['^libs/testing/', '^apps/bench/', ...tests] },
      to: { path: ['^libs/testing/', '^libs/[^/]+/src/testing\\.ts$'] },
    },
    {
      name: 'common knows no module',
      comment: 'src/common is below the modules: what it needs from one comes through an interface or a parameter',
      severity: 'error',
      from: { path: '^src/common/' },
      to: { path: '^src/modules/' },
    },
    {
      name: 'modules meet at the door',
      comment: 'a module imports another only through its index.ts or *.module.ts',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/' },
      to: { path: '^src/modules/', pathNot: ['^src/modules/$1/', '^src/modules/[^/]+/(?:index|[^/]+\\.module)\\.ts$'] },
    },
    {
      name: 'no deep import',
      comment: 'a lib is entered by its package name or by a sub-path that it exports, never by a file inside it',
      severity: 'error',
      from: { path: '^((?:libs|apps)/[^/]+|src|test|scripts)/' },
      to: {
        path: '^libs/',
        pathNot: ['^$1/', '^libs/[^/]+/src/(?:index|testing|throttler|cache-manager|graphql)\\.ts$'],
      },
    },
    {
      name: 'no relative path into a lib',
      comment: 'write @roost/x, so that the dependency stands in package.json',
      severity: 'error',
      from: { path: '^((?:libs|apps)/[^/]+|src|test|scripts)/' },
      to: { path: '^libs/', pathNot: '^$1/', dependencyTypes: ['local'], dependencyTypesNot: ['aliased-workspace'] },
    },
    { name: 'no cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolves',
      comment: 'the name is misspelt, not installed, or not in the `exports` of the package',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared',
      comment:
        'what a package imports stands in its own package.json, else it breaks where it is installed alone (knip does our own)',
      severity: 'error',
      from: { path: ours, pathNot: tests },
      // an optional peer is reported as both declared and not
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'no development dependency at run time',
      comment: 'move it from devDependencies to dependencies',
      severity: 'error',
      from: { path: '^(?:libs|apps|src)/', pathNot: [spec, '^libs/testing/', '^apps/bench/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)(?:dist|coverage)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@roost/source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
