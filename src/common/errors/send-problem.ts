import type { FastifyReply } from 'fastify';
import { answerTo } from './problem.js';

/** Answers a request that Nest does not see, in the form of every other error. */
export async function sendProblem(reply: FastifyReply, error: unknown): Promise<void> {
  const { problem, headers } = answerTo(error);
  await reply
    .code(problem.status)
    .headers({ 'Content-Type': 'application/problem+json; charset=utf-8', ...headers })
    .serializer(JSON.stringify)
    .send(problem);
}
