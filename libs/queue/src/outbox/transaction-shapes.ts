/** Something of a library that is not imported. */
export type Given = Readonly<Record<string, unknown>>;

/** How to tell the transactions of one library from everything else, and to use them. */
export interface TransactionShape {
  /** Whether it is of this library, in a transaction or not. */
  is(given: Given): boolean;
  /** What it is instead, when it is not in a transaction. */
  outside(given: Given): string | undefined;
  /** Sends a statement. Resolves to rows, or to an object that has them. */
  send(given: Given, text: string, values: string[]): unknown;
}

const drizzle: TransactionShape = {
  is: (given) =>
    has(given['session'], 'prepareQuery') && ('$client' in given || typeof given['nestedIndex'] === 'number'),
  outside: (given) => ('$client' in given ? 'a Drizzle database (pass the `tx` of its `transaction`)' : undefined),
  send: (given, sql, params) => call(call(given['session'], 'prepareQuery', { sql, params }), 'execute'),
};

const knex: TransactionShape = {
  is: (given) => typeof given === 'function' && has(given, 'raw', 'transaction'),
  outside: (given) => (given['isTransaction'] === true ? undefined : 'a Knex (pass the `trx` of its `transaction`)'),
  // It numbers the values itself.
  send(given, text, values) {
    const inOrder: string[] = [];
    const marked = text.replaceAll(/\$(\d+)/g, (_, place: string) => {
      inOrder.push(values[Number(place) - 1]!);
      return '?';
    });
    return call(given, 'raw', marked, inOrder);
  },
};

const kysely: TransactionShape = {
  is: (given) => has(given, 'executeQuery', 'getExecutor'),
  outside: (given) => (given['isTransaction'] === true ? undefined : 'a Kysely (pass the `trx` of its `transaction`)'),
  send(given, sql, parameters) {
    const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
    return call(given, 'executeQuery', { sql, parameters, query, queryId: { queryId: 'roost.outbox' } });
  },
};

/** An EntityManager, a QueryRunner, or a DataSource, which is never in a transaction. */
const typeOrm: TransactionShape = {
  is: (given) => has(given, 'query') && ['getRepository', 'startTransaction'].some((verb) => has(given, verb)),
  outside(given) {
    const runner = has(given, 'startTransaction') ? given : (given['queryRunner'] as Given | undefined);
    return runner?.['isTransactionActive'] === true
      ? undefined
      : 'an EntityManager, QueryRunner or DataSource of TypeORM that is in none';
  },
  send: (given, text, values) => call(given, 'query', text, values),
};

const postgresJs: TransactionShape = {
  is: (given) => typeof given === 'function' && has(given, 'unsafe'),
  outside: (given) => (has(given, 'savepoint') ? undefined : 'a `sql` of postgres.js (pass that of its `begin`)'),
  send: (given, text, values) => call(given, 'unsafe', text, values),
};

const pglite: TransactionShape = {
  is: (given) => has(given, 'query', 'exec') && (has(given, 'rollback') || has(given, 'transaction')),
  outside: (given) => (has(given, 'transaction') ? 'a PGlite (pass the `tx` of its `transaction`)' : undefined),
  send: (given, text, values) => call(given, 'query', text, values),
};

/** A client, lent by a pool or on its own, has a backend process; anything else with its verbs is a pool. */
const nodePostgres: TransactionShape = {
  is: (given) => has(given, 'query') && (isClient(given) || has(given, 'connect')),
  outside(given) {
    if (!isClient(given)) return 'a pool (pass the client on which BEGIN was sent)';
    // `I` is a client that is idle; older versions do not tell.
    const idle = has(given, 'getTransactionStatus') && call(given, 'getTransactionStatus') === 'I';
    return idle ? 'a client on which BEGIN was not sent, or has been ended' : undefined;
  },
  send: (given, text, values) => call(given, 'query', text, values),
};

const anyFunction: TransactionShape = {
  is: (given) => typeof given === 'function',
  outside: () => undefined,
  send: (given, text, values) => (given as unknown as (text: string, values: string[]) => unknown)(text, values),
};

/** The first that fits counts: some have the verbs of others too. */
export const SHAPES: readonly TransactionShape[] = [
  drizzle,
  knex,
  kysely,
  typeOrm,
  postgresJs,
  pglite,
  nodePostgres,
  anyFunction,
];

function isClient(given: Given): boolean {
  return has(given, 'release') || 'processID' in given;
}

function has(given: unknown, ...verbs: string[]): boolean {
  return given != null && verbs.every((verb) => typeof (given as Given)[verb] === 'function');
}

function call(given: unknown, verb: string, ...args: unknown[]): unknown {
  return (given as Record<string, (...args: unknown[]) => unknown>)[verb]!(...args);
}
