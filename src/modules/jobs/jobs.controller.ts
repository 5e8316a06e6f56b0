import { Controller, Get, Header, Param } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { InjectJobs, type JobQueue } from '@roost/queue';
import { ApiProblems } from '../../common/http/index.js';
import { EMAILS } from '../emails/index.js';
import { JobUnknownError } from './jobs.errors.js';
import { jobAnswer, type JobAnswer } from './jobs.schemas.js';

/** No other id was ever given to a job; a database takes offence at some. */
const ID = /^[\w:.-]{1,256}$/;

/** What became of work that was left to a job. Who knows its random id may ask. */
@Controller('jobs')
export class JobsController {
  constructor(@InjectJobs(EMAILS) private readonly emails: JobQueue) {}

  @Get(':id')
  @Header('Cache-Control', 'no-store')
  @ApiOkResponse({ standardSchema: jobAnswer, description: 'How the job is doing' })
  @ApiProblems(404, 503)
  async find(@Param('id') id: string): Promise<JobAnswer> {
    if (!ID.test(id)) throw new JobUnknownError();
    const { state, result } = await this.emails.status(id);
    if (state === 'unknown') throw new JobUnknownError();
    return state === 'completed' ? { state, result } : { state };
  }
}
