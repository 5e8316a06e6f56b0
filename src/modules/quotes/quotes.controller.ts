import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity } from '@nestjs/swagger';
import { RateLimit } from '@roost/throttle';
import { ApiProblems } from '../../common/http/index.js';
import { quoteAnswer, quoteRequest } from './quotes.schemas.js';
import type { Quote, QuoteRequest } from './quotes.schemas.js';
import { QuotesService } from './quotes.service.js';

/** Prices for partners: how many an hour depends on the tier of their `x-api-key`. */
@Controller('api/quotes')
export class QuotesController {
  constructor(private readonly quotes: QuotesService) {}

  @Get()
  @RateLimit('quotes')
  @ApiSecurity('apiKey')
  @ApiOkResponse({ standardSchema: quoteAnswer, description: 'The price of a car' })
  @ApiProblems(404, 422, 429)
  quote(@Query({ schema: quoteRequest }) { carId }: QuoteRequest): { data: Quote } {
    return { data: this.quotes.quote(carId) };
  }
}
