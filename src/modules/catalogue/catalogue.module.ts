import { Module } from '@nestjs/common';
import { CatalogueController } from './catalogue.controller.js';
import { CatalogueRepository } from './catalogue.repository.js';
import { CatalogueResolver } from './catalogue.resolver.js';
import { CatalogueService } from './catalogue.service.js';

/** Which cars there are: a slow origin behind the cache, by REST and by GraphQL. */
@Module({
  controllers: [CatalogueController],
  providers: [CatalogueService, CatalogueRepository, CatalogueResolver],
})
export class CatalogueModule {}
