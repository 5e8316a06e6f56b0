import 'reflect-metadata';
import { Controller, Get } from '@nestjs/common';
import type { Contestant } from '../contestant.js';
import { Admissions, BODY, openService } from './nest-service.js';

@Controller()
class UnlimitedController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** What the route costs without a limiter. */
export const unlimited: Contestant = () => openService(UnlimitedController);
