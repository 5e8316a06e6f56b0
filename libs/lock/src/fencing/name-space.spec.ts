import { PGlite } from '@electric-sql/pglite';
import { PostgresServer } from '@roost/testing';
import { Pool } from 'pg';
import { adoptNewSpace } from './name-space.js';
import type { Transactional } from './transactional.js';

let server: PostgresServer;
const pools: Pool[] = [];
let pglite: PGlite;

beforeAll(async () => {
  server = await PostgresServer.start();
  pglite = await PGlite.create();
  for (let i = 0; i < 2; i++) pools.push(new Pool({ connectionString: server.url }));
}, 60_000);

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await pglite?.close();
  await server?.stop();
});

const databases: [string, () => Transactional][] = [
  ['node-postgres', () => pools[0]!],
  ['PGlite', () => pglite],
];

describe.each(databases)('adoptNewSpace on %s', (_, open) => {
  it('adopts a space that the database never heard of, once', async () => {
    let adoptions = 0;
    const adopt = async () => (adoptions += 1) > 0;
    expect(await adoptNewSpace(open(), 'new', adopt)).toBe(true);
    expect(await adoptNewSpace(open(), 'new', adopt)).toBe(false);
    expect(await adoptNewSpace(open(), 'other', adopt)).toBe(true);
    expect(adoptions).toBe(2);
  });

  it('leaves the space unknown when adopting fails', async () => {
    const failure = new Error('Redis is gone');
    await expect(adoptNewSpace(open(), 'failing', () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await adoptNewSpace(open(), 'failing', async () => true)).toBe(true);
  });

  it('remembers a space that was in use already: when Redis forgets it, that is a loss', async () => {
    const adopt = jest.fn(async () => true);
    expect(await adoptNewSpace(open(), 'in-use', async () => false)).toBe(false);
    expect(await adoptNewSpace(open(), 'in-use', adopt)).toBe(false);
    expect(adopt).not.toHaveBeenCalled();
  });
});

it('of many processes at once exactly one adopts, and the others return only when it has', async () => {
  let adoptions = 0;
  let done = false;
  const late: boolean[] = [];
  const adopt = async () => {
    adoptions += 1;
    await new Promise((resolve) => setTimeout(resolve, 30));
    return (done = true);
  };
  const runs = Array.from({ length: 8 }, async (_, i) => {
    const adopted = await adoptNewSpace(pools[i % 2]!, 'raced', adopt);
    late.push(done);
    return adopted;
  });
  expect((await Promise.all(runs)).filter(Boolean)).toHaveLength(1);
  expect(adoptions).toBe(1);
  expect(late).toEqual(Array(8).fill(true));
});

it('the next one adopts when the first failed meanwhile', async () => {
  let next: Promise<boolean> | undefined;
  const failing = adoptNewSpace(pools[0]!, 'second', async () => {
    next = adoptNewSpace(pools[1]!, 'second', async () => true);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(true);
});
