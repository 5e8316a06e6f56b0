/** The error of Postgres in an error: Drizzle wraps it. */
export interface SqlError extends Error {
  /** SQLSTATE. */
  readonly code: string;
  readonly detail?: string;
}

/** Finds the error that Postgres itself reported, however deep a library has wrapped it. */
export function sqlErrorIn(error: unknown): SqlError | undefined {
  let inner = error;
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    if (/^[0-9A-Z]{5}$/.test(String((inner as Partial<SqlError>).code))) return inner as SqlError;
    inner = inner.cause;
  }
  return undefined;
}

/** Whether a table or function of the fence is not there: the schema was not created, or somebody dropped it. */
export function isSchemaMissing(error: unknown): boolean {
  const { code, message = '' } = sqlErrorIn(error) ?? {};
  return (code === '42883' || code === '42P01') && message.includes('roost_');
}

/** Whether the statement itself is wrong or forbidden, so that asking again, or another server, does not help. */
export function isWrongStatement(error: unknown): boolean {
  return /^(?:22|42|0A)/.test(sqlErrorIn(error)?.code ?? '');
}

/** Whether the database surely did nothing: it could not be reached, or refused the statement and goes on. */
export function isWithoutEffect(error: unknown): boolean {
  const found = sqlErrorIn(error);
  if (found) return !/^(?:08|57|58|XX)/.test(found.code) || found.code === '57P03';
  return ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH'].includes(String((error as NodeJS.ErrnoException).code));
}

/** An array of Postgres in its text form. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
