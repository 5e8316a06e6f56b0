import { Module } from '@nestjs/common';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';

/** Who the users are: one-time codes and sessions. */
@Module({ controllers: [AccountsController], providers: [AccountsService] })
export class AccountsModule {}
