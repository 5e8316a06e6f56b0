import { Inject, Logger, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Queues } from '@roost/queue';
import { CONFIG, type Config } from '../../common/config/index.js';
import { JobsController } from './jobs.controller.js';

/** What became of jobs. */
@Module({ controllers: [JobsController] })
export class JobsModule implements OnApplicationBootstrap {
  constructor(
    private readonly queues: Queues,
    @Inject(CONFIG) private readonly config: Pick<Config, 'ROLE'>,
  ) {}

  /** Half of the work for jobs that no other process sees is most likely a mistake. */
  onApplicationBootstrap(): void {
    const { ROLE: role } = this.config;
    const names = this.queues.all().map(({ store }) => store.name);
    const alone = names.find((name) => name === 'memory' || name === 'embedded');
    if (role === 'all' || alone === undefined) return;
    const lacks = role === 'web' ? 'nobody runs them' : 'nobody adds any';
    new Logger('Jobs').warn(
      `ROLE is ${role}, and jobs are kept inside this process (${alone}): ${lacks}. Set REDIS_URL or DATABASE_URL, or ROLE=all.`,
      { event: 'jobs.alone', role, backend: alone },
    );
  }
}
