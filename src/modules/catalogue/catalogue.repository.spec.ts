import { Metrics } from '@roost/redis';
import { PostgresServer } from '@roost/testing';
import { Database } from '../../common/database/index.js';
import { CatalogueRepository } from './catalogue.repository.js';
import { catalogueMigrations } from './catalogue.table.js';
import { CARS } from './fleet.js';

describe.each(['pglite', 'postgres'])('cars on %s', (name) => {
  let server: PostgresServer | undefined;
  let database: Database;
  let metrics: Metrics;
  let repository: CatalogueRepository;
  const { signal } = new AbortController();

  beforeAll(async () => {
    server = name === 'postgres' ? await PostgresServer.start() : undefined;
    database = new Database(
      { NODE_ENV: 'test', DATABASE_URL: server?.url, ROOST_DATA_DIR: undefined },
      catalogueMigrations,
    );
    await database.open();
    metrics = new Metrics();
    repository = new CatalogueRepository(database, metrics, { CATALOGUE_ORIGIN_DELAY_MS: 0 });
  }, 60_000);
  afterAll(async () => {
    await database.close();
    await server?.stop();
  });

  it('begin with the fleet, the cheapest first', async () => {
    const byPrice = [...CARS].sort((a, b) => a.pricePerDay - b.pricePerDay);
    expect(await repository.list(undefined, signal)).toEqual(byPrice);
    expect(await repository.list('Oslo', signal)).toEqual(byPrice.filter(({ city }) => city === 'Oslo'));
    expect(await repository.list('Rome', signal)).toEqual([]);
  });

  it('are found one by one, and change their price', async () => {
    expect(await repository.find('car-7', signal)).toEqual({ id: 'car-7', city: 'Vienna', pricePerDay: 64 });
    expect(await repository.setPrice('car-7', 65)).toEqual({ id: 'car-7', city: 'Vienna', pricePerDay: 65 });
    expect(await repository.find('car-7', signal)).toMatchObject({ pricePerDay: 65 });
    expect(await repository.find('car-13', signal)).toBeUndefined();
    expect(await repository.setPrice('car-13', 65)).toBeUndefined();
  });

  it('are read by one statement each time, which is counted; what is given up before is none', async () => {
    const counted = async () => Number(/_total (\d+)$/m.exec(await metrics.registry.metrics())![1]);
    const before = await counted();
    await repository.list('Oslo', signal);
    await repository.find('car-1', signal);
    await repository.setPrice('car-1', 39);
    expect((await counted()) - before).toBe(2);
    const slow = new CatalogueRepository(database, new Metrics(), { CATALOGUE_ORIGIN_DELAY_MS: 10_000 });
    await expect(slow.list('Oslo', AbortSignal.abort())).rejects.toThrow('aborted');
  });
});
