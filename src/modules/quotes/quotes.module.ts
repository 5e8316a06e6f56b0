import { Module } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { QuotesController } from './quotes.controller.js';
import { QuotesService } from './quotes.service.js';

/** What a car costs, for partners with an API key. */
@Module({ controllers: [QuotesController], providers: [Clock, QuotesService] })
export class QuotesModule {}
