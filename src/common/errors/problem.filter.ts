import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { answerTo } from './problem.js';

/** Answers every failed request with `application/problem+json`, and logs once what nobody meant to happen. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Problem');

  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { problem, headers, unexpected } = answerTo(error);
    if (unexpected) this.logger.error(error);
    const adapter = this.host.httpAdapter;
    const response = host.switchToHttp().getResponse<unknown>();
    if (adapter.isHeadersSent(response)) return adapter.end(response);
    adapter.setHeader(response, 'Content-Type', 'application/problem+json; charset=utf-8');
    for (const [name, value] of Object.entries(headers)) {
      // Who refused the request may have said so himself, and know it better: a rate limit has several clocks.
      if (!adapter.getHeader(response, name)) adapter.setHeader(response, name, value);
    }
    adapter.reply(response, problem, problem.status);
  }
}
