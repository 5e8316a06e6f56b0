import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { GraphQLError } from 'graphql';
import { answerTo, type ProblemAnswer } from './problem.js';

/**
 * Answers every failed request with `application/problem+json`, and what failed in GraphQL with an error that says the
 * same; logs once what nobody meant to happen.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Problem');

  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    // Nobody waits for an answer: a job fails with what was thrown, and its queue tells of it.
    if (host.getType<string>() === 'job') throw error;
    const answer = answerTo(error);
    if (answer.unexpected) this.logger.error(error);
    // Who executes the query takes it from here: other fields may have an answer.
    if (host.getType<string>() === 'graphql') throw graphqlError(answer);
    const { problem, headers } = answer;
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

function graphqlError({ problem: { errorCode, title, detail, issues } }: ProblemAnswer): GraphQLError {
  return new GraphQLError(detail ?? title, {
    extensions: { code: errorCode, ...(issues !== undefined && { issues }) },
  });
}
