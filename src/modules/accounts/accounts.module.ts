import { Module } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';
import { Codes } from './codes.js';
import { Sessions } from './sessions.js';

/** Who the users are: one-time codes and sessions. */
@Module({ controllers: [AccountsController], providers: [AccountsService, Clock, Codes, Sessions] })
export class AccountsModule {}
