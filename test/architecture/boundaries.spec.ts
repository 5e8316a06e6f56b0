import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildHouse, cruise, type Violation } from './cruise.js';

const libs = ['redis', 'throttle', 'health', 'queue', 'testing'];

/** Each line breaks one rule: the rule, the file that breaks it, what it imports. */
const wrong: readonly (readonly [rule: string, file: string, imports: string])[] = [
  ['star: libs/redis', 'libs/redis/src/upward.ts', '@roost/throttle'],
  ['star: libs/[^/]+', 'libs/throttle/src/sideways.ts', '@roost/health'],
  ['star: libs/[^/]+', 'libs/throttle/src/sideways.spec.ts', '@roost/health'],
  ['star: libs/[^/]+', 'libs/throttle/src/into-service.ts', '../../../src/main.js'],
  ['star: libs/testing', 'libs/testing/src/into-service.ts', '../../../src/main.js'],
  ['star: src', 'src/into-app.ts', '../apps/cli/src/main.js'],
  ['star: apps/[^/]+', 'apps/cli/src/into-service.ts', '../../../src/main.js'],
  ['star: apps/[^/]+', 'apps/cli/src/into-app.ts', '../../bench/src/main.js'],
  ['testing is for tests', 'src/into-testing.ts', '@roost/testing'],
  ['testing is for tests', 'libs/throttle/src/into-testing.ts', '@roost/testing'],
  ['testing is for tests', 'apps/cli/src/into-suite.ts', '@roost/throttle/testing'],
  ['common knows no module', 'src/common/upward.ts', '../modules/bookings/index.js'],
  ['modules meet at the door', 'src/modules/chat/through-wall.ts', '../bookings/bookings.service.js'],
  ['only libs/redis imports ioredis, prom-client', 'libs/throttle/src/client.ts', 'ioredis'],
  ['only libs/redis imports ioredis, prom-client', 'src/client.ts', 'ioredis'],
  ['only libs/queue imports bullmq', 'libs/throttle/src/jobs.ts', 'bullmq'],
  ['no deep import', 'libs/throttle/src/deep.ts', '../../redis/src/inner.js'],
  ['no deep import', 'test/deep.spec.ts', '../libs/redis/src/inner.js'],
  ['no relative path into a lib', 'libs/throttle/src/relative.ts', '../../redis/src/index.js'],
  ['no cycle', 'libs/redis/src/egg.ts', './hen.js'],
  ['resolves', 'libs/throttle/src/unexported.ts', '@roost/redis/src/inner.js'],
  ['declared', 'libs/throttle/src/undeclared.ts', 'undeclared'],
  ['no development dependency at run time', 'src/undeclared.ts', 'forgotten'],
];

/** What the table allows, beside the rules above. */
const right: readonly (readonly [file: string, imports: string])[] = [
  ['libs/throttle/src/inward.ts', '@roost/redis'],
  ['libs/throttle/src/with-doubles.spec.ts', '@roost/testing'],
  ['libs/throttle/src/borrowed.spec.ts', 'undeclared'],
  ['libs/testing/src/about-throttle.ts', '@roost/throttle'],
  ['libs/redis/src/owner.ts', 'ioredis'],
  ['libs/queue/src/owner.ts', 'bullmq'],
  ['src/whole-service.ts', '@roost/health'],
  ['src/modules/chat/by-index.ts', '../bookings/index.js'],
  ['src/modules/chat/by-module.ts', '../bookings/bookings.module.js'],
  ['src/modules/chat/downward.ts', '../../common/time.js'],
  ['apps/bench/src/against-client.ts', 'ioredis'],
  ['apps/bench/src/with-servers.ts', '@roost/testing'],
  ['test/service.spec.ts', '../src/main.js'],
  ['test/suite.spec.ts', '@roost/throttle/testing'],
];

const empty = 'export {};';
const targets = {
  'src/main.ts': empty,
  'src/common/time.ts': empty,
  'src/modules/bookings/index.ts': empty,
  'src/modules/bookings/bookings.module.ts': empty,
  'src/modules/bookings/bookings.service.ts': empty,
  'libs/redis/src/inner.ts': empty,
  'libs/redis/src/hen.ts': "import './egg.js';",
  'libs/throttle/src/testing.ts': empty,
};

describe('boundaries', () => {
  it('hold everywhere in the tree', async () => {
    const { files, violations } = await cruise();
    expect(violations).toEqual([]);
    expect(files).toBeGreaterThan(8);
  });

  describe('in a house that breaks them', () => {
    let directory: string;
    let violations: Violation[];

    beforeAll(async () => {
      directory = await realpath(await mkdtemp(join(tmpdir(), 'roost-house-')));
      const imports = [...wrong.map(([, file, name]) => [file, name]), ...right];
      const sources = Object.fromEntries(imports.map(([file, name]) => [file, `import '${name}';`]));
      await buildHouse(directory, libs, { ...targets, ...sources });
      ({ violations } = await cruise(directory));
    });

    afterAll(() => rm(directory, { recursive: true, force: true }));

    it.each(wrong)('"%s" refuses %s → %s', (rule, file) => {
      expect(violations).toContainEqual(expect.objectContaining({ rule, from: file }));
    });

    it.each(right)('nothing refuses %s → %s', (file) => {
      expect(violations.filter(({ from }) => from === file)).toEqual([]);
    });
  });
});
