/** A step in the life of the schema: applied once, in the order of the list, never changed after it was shipped. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Runs plain SQL, several statements at once when there are no values. */
export type RunSql = (text: string) => Promise<readonly unknown[]>;

/** Any number that nobody else takes for an advisory lock of this database. */
const LOCK = 5_201_764;

/**
 * Applies what is missing, in one transaction: all or nothing. Instances that start at once wait for each other. When
 * nothing is missing, nothing is written and no right is needed but to read.
 */
export async function migrate(run: RunSql, migrations: readonly Migration[]): Promise<void> {
  if ((await missing(run, migrations)).length === 0) return;
  await run('BEGIN');
  try {
    await run(`SELECT pg_advisory_xact_lock(${LOCK})`);
    await run(
      'CREATE TABLE IF NOT EXISTS roost_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    for (const { name, sql } of await missing(run, migrations)) {
      await run(sql);
      await run(`INSERT INTO roost_migrations (name) VALUES (${literal(name)})`);
    }
    await run('COMMIT');
  } catch (error) {
    await run('ROLLBACK').catch(() => {}); // the connection broke: the server rolls back by itself
    throw error;
  }
}

async function missing(run: RunSql, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  const [table] = await run("SELECT to_regclass('roost_migrations') IS NOT NULL AS there");
  if (!(table as { there: boolean }).there) return migrations;
  const applied = new Set((await run('SELECT name FROM roost_migrations')).map((row) => (row as Migration).name));
  return migrations.filter(({ name }) => !applied.has(name));
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
