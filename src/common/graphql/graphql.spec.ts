import { Controller, Module, Post, type LoggerService } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Args, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { DatabaseUnavailableError } from '../database/database.errors.js';
import { InvalidRequestError, ProblemFilter } from '../errors/index.js';
import { GraphqlDriver, graphqlOptions } from './index.js';

@Resolver()
class FailingResolver {
  @Query(() => String)
  hello(@Args('name', { type: () => String }) name: string): string {
    return `Hello, ${name}`;
  }

  @Query(() => String, { nullable: true })
  bug(): never {
    throw new TypeError('hunter2 of undefined');
  }

  @Query(() => String, { nullable: true })
  outage(): never {
    throw new DatabaseUnavailableError('hunter2', true);
  }

  @Query(() => String, { nullable: true })
  refused(): never {
    throw new InvalidRequestError([{ path: 'city', message: 'no' }]);
  }
}

@Controller()
class EchoController {
  @Post('echo')
  echo(): void {}
}

@Module({
  imports: [GraphQLModule.forRoot({ driver: GraphqlDriver, ...graphqlOptions({ NODE_ENV: 'test' }) })],
  controllers: [EchoController],
  providers: [FailingResolver],
})
class GreetingModule {}

describe('GraphQL', () => {
  const errors: unknown[] = [];
  let app: NestFastifyApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [GreetingModule] }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter({ bodyLimit: 4_096 }));
    const silent = () => undefined;
    const logger: LoggerService = { log: silent, warn: silent, error: (error: unknown) => void errors.push(error) };
    app.useLogger(logger);
    app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)));
    await app.init();
  });
  afterAll(() => app.close());
  beforeEach(() => void (errors.length = 0));

  const post = (payload: object | string, url = '/graphql') =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } });

  it('answers what it can, and says of each field what failed', async () => {
    const answer = await post({ query: '{ hello(name: "Ann") refused outage }' });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        data: { hello: 'Hello, Ann', refused: null, outage: null },
        errors: [
          {
            message: expect.any(String),
            path: ['refused'],
            locations: expect.any(Array),
            extensions: { code: 'request.invalid', issues: [{ path: 'city', message: 'no' }] },
          },
          {
            message: 'The service cannot do this just now. Try again later.',
            path: ['outage'],
            locations: expect.any(Array),
            extensions: { code: 'database.unavailable' },
          },
        ],
      },
    ]);
    expect(errors).toEqual([]);
  });

  it('says nothing of a bug, and logs it once', async () => {
    const answer = await post({ query: '{ bug }' });
    expect(answer.json()).toMatchObject({
      data: { bug: null },
      errors: [{ message: 'Internal Server Error', extensions: { code: 'internal' } }],
    });
    expect(answer.body).not.toContain('hunter2');
    expect(errors).toEqual([expect.objectContaining({ stack: expect.stringContaining('FailingResolver.bug') })]);
  });

  it.each([
    ['no query', {}, 'Unknown query'],
    ['half a query', { query: '{ hello(' }, 'Syntax Error'],
    ['an unknown field', { query: '{ nope }' }, 'Cannot query field "nope"'],
    ['what is no query', { query: 5 }, 'The query cannot be read.'],
    ['a tree that is none', { query: '{"kind":"Document"}' }, 'The query cannot be read.'],
    ['no JSON', '{', 'not valid JSON'],
    ['several queries at once', [{ query: '{ refused }' }], 'body must be object'],
    ['many fields', { query: `{ ${'refused '.repeat(101)}}` }, 'more than 100 fields'],
    ['depth', { query: `{ __type(name: "Query") ${'{ ofType '.repeat(15)}{ name }${'}'.repeat(16)}` }, 'depth'],
  ])('answers 400 to %s', async (_, payload, message) => {
    const answer = await post(payload);
    expect([answer.statusCode, answer.json()]).toEqual([
      400,
      { data: null, errors: [expect.objectContaining({ message: expect.stringContaining(message) })] },
    ]);
    expect(errors).toEqual([]);
  });

  it('lets tools read the schema', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    const answer = await post({ query: getIntrospectionQuery() });
    expect([answer.statusCode, answer.json().errors]).toEqual([200, undefined]);
  });

  it('leaves the errors of other routes to the filter of all', async () => {
    const answer = await post('{', '/echo');
    expect([answer.statusCode, answer.json().errorCode]).toEqual([400, 'http.400']);
  });

  it.each([
    ['development', true],
    ['test', false],
    ['production', false],
  ] as const)('has pages for people in %s: %s', (NODE_ENV, graphiql) => {
    expect(graphqlOptions({ NODE_ENV })).toMatchObject({ graphiql });
  });
});
