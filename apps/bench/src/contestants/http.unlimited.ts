import 'reflect-metadata';
import { Controller, Get, UseGuards, type CanActivate } from '@nestjs/common';
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

class EmptyGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Controller()
class GuardedController {
  constructor(private readonly admissions: Admissions) {}

  @Get()
  @UseGuards(EmptyGuard)
  get(): typeof BODY {
    this.admissions.count++;
    return BODY;
  }
}

/** What the route costs without a limiter. */
export const unlimited: Contestant = (task) => openService(task, UnlimitedController);

/** What it costs when a guard is asked, whatever that does. */
export const emptyGuard: Contestant = (task) => openService(task, GuardedController);
