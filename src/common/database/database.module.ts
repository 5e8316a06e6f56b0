import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { HealthRegistry } from '@roost/redis';
import { CONFIG, type Config } from '../config/index.js';
import { Database } from './database.js';
import type { Migration } from './migrations.js';

/** The one database of the service: the server of DATABASE_URL, else one inside this process. */
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(
    private readonly database: Database,
    @Inject(HealthRegistry) health: HealthRegistry,
  ) {
    health.contribute('database', () => database.report());
  }

  /** @param migrations of all modules, in the order in which they are applied. */
  static forRoot(migrations: readonly Migration[]): DynamicModule {
    const useFactory = async (config: Config) => {
      const database = new Database(config, migrations);
      await database.open();
      return database;
    };
    return {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: Database, inject: [CONFIG], useFactory }],
      exports: [Database],
    };
  }

  /** The HTTP server has drained by now: nobody needs it any more. */
  onApplicationShutdown(): Promise<void> {
    return this.database.close();
  }
}
