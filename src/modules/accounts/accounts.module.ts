import { Inject, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '../../common/config/index.js';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';
import { pepperWarning } from './accounts.sessions.js';

/** Who the users are: one-time codes and sessions. */
@Module({ controllers: [AccountsController], providers: [AccountsService] })
export class AccountsModule implements OnModuleInit {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  onModuleInit(): void {
    const warning = pepperWarning(this.config);
    if (warning !== undefined) new Logger('Accounts').warn(warning, { event: 'accounts.pepper' });
  }
}
