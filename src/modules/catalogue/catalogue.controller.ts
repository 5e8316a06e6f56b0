import { Body, Controller, Get, Param, Patch, Query, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity } from '@nestjs/swagger';
import type { CacheResult } from '@roost/cache';
import type { FastifyReply } from 'fastify';
import { AdminGuard, ApiProblems, cacheHeaders } from '../../common/http/index.js';
import { CarNotListedError } from './catalogue.errors.js';
import { carAnswer, carChange, carChanged, carsAnswer, carsRequest } from './catalogue.schemas.js';
import type { CarChange, CarsRequest, Metadata } from './catalogue.schemas.js';
import { CatalogueService } from './catalogue.service.js';
import type { Car } from './fleet.js';

/** Which cars there are, from the cache; `metadata`, `Cache-Status` and `Age` say so. */
@Controller('catalogue/cars')
export class CatalogueController {
  constructor(private readonly catalogue: CatalogueService) {}

  @Get()
  @ApiOkResponse({ standardSchema: carsAnswer, description: 'The cars of a city, or of all, the cheapest first' })
  @ApiProblems(422, 503)
  async cars(
    @Query({ schema: carsRequest }) { city }: CarsRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ data: Car[]; metadata: Metadata }> {
    const result = await this.catalogue.cars(city);
    reply.headers(cacheHeaders(result));
    return { data: result.value, metadata: metadataOf(result) };
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: carAnswer, description: 'A car' })
  @ApiProblems(404, 503)
  async car(
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ data: Car; metadata: Metadata }> {
    const result = await this.catalogue.find(id);
    reply.headers(cacheHeaders(result));
    if (result.value === null) throw new CarNotListedError();
    return { data: result.value, metadata: metadataOf(result) };
  }

  /** When this is answered, no process serves the old price any more. */
  @Patch(':id')
  @UseGuards(AdminGuard)
  @ApiSecurity('admin')
  @ApiOkResponse({ standardSchema: carChanged, description: 'The car as it is now' })
  @ApiProblems(401, 403, 404, 422, 503)
  async change(
    @Param('id') id: string,
    @Body({ schema: carChange }) { pricePerDay }: CarChange,
  ): Promise<{ data: Car }> {
    return { data: await this.catalogue.setPrice(id, pricePerDay) };
  }
}

function metadataOf({ source, loadedAtMs }: CacheResult<unknown>): Metadata {
  return { cached: source !== 'loader', timestamp: new Date(loadedAtMs).toISOString() };
}
