import type { PGlite } from '@electric-sql/pglite';
import { PostgresServer, RedisServer } from '@roost/testing';
import { Client } from 'pg';
import type { BedOptions } from '../queue.testbed.js';

/** A store that a suite runs on. */
export interface StoreUnderTest {
  readonly name: string;
  /** How an application comes to it. */
  options(): Pick<BedOptions, 'url' | 'module'>;
  /** Removes what earlier tests left. */
  empty(): Promise<void>;
}

const EMPTY = `DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'bullmq' AND tablename NOT LIKE '%migration%' LOOP
    EXECUTE format('DELETE FROM bullmq.%I', name);
  END LOOP;
END $$`;

/** Runs a suite on each store that several applications can share. */
export function eachStore(what: string, suite: (store: StoreUnderTest) => void): void {
  describe(`${what}: redis`, () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start();
    });
    afterAll(() => server.stop());
    suite({
      name: 'redis',
      options: () => ({ url: server.url }),
      empty: async () => void (await server.command('FLUSHALL')),
    });
  });

  describe(`${what}: postgres`, () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await PostgresServer.start();
    }, 30_000);
    afterAll(() => server.stop());
    suite({
      name: 'postgres',
      options: () => ({ module: { database: { url: server.url } } }),
      empty: async () => {
        const client = new Client({ connectionString: server.url });
        await client.connect();
        await client.query(EMPTY);
        await client.end();
      },
    });
  });

  describe(`${what}: embedded`, () => {
    let database: PGlite;
    beforeAll(async () => {
      const { PGlite } = await import('@electric-sql/pglite');
      database = await PGlite.create();
    }, 30_000);
    afterAll(() => database.close());
    suite({
      name: 'embedded',
      options: () => ({ module: { database: { pglite: database } } }),
      empty: async () => void (await database.exec(EMPTY)),
    });
  });
}
