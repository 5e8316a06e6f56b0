/**
 * Everything, node_modules included, is compiled to CommonJS for tests: Jest cannot require() ES modules
 * below Node 24.9, and packages such as @nestjs/throttler are CommonJS that require ESM Nest.
 */
const swc = [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: 'es2022',
      keepClassNames: true,
    },
    module: { type: 'commonjs' },
  },
];

export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{libs,apps,src,test}/**/*.spec.ts'],
  transform: { '^.+\\.(ts|js|mjs|cjs)$': swc },
  transformIgnorePatterns: ['/node_modules/playwright-core/'], // CommonJS of megabytes already
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@roost/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^@roost/([^/]+)/(testing|throttler|cache-manager|graphql)$': '<rootDir>/libs/$1/src/$2.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/(libs|apps)/[^/]+/dist'],
  maxWorkers: 2,
  testTimeout: 20_000,
  reporters: ['default', '<rootDir>/test/summary-reporter.mjs'],
};
