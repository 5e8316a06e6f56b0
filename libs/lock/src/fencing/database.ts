/** Every value travels as text, in both directions: no type parser of a driver can then round a token. */
export type Row = Readonly<Record<string, string | null>>;

/** What sends one statement and gives back its rows. */
export interface Session {
  query(text: string, values?: readonly string[]): Promise<readonly Row[]>;
}

/** The little that fencing needs of a database, the same for every library. */
export interface Database<Tx> {
  /** Runs one statement on its own; rejects after `timeoutMs`, when it may still take effect. */
  query(text: string, values: readonly string[], timeoutMs: number): Promise<readonly Row[]>;

  /**
   * Runs a transaction that commits when `run` resolves. `beforeBegin` is the last that happens before BEGIN is sent.
   * What either throws passes unchanged.
   */
  transaction<Result>(beforeBegin: () => void, run: (session: Session, tx: Tx) => Promise<Result>): Promise<Result>;
}

/** Waits for an answer for so long; `giveUp` is called when it did not come. */
export async function answerWithin<T>(
  timeoutMs: number,
  answer: Promise<T>,
  giveUp?: (why: Error) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const why = new Error(`Postgres did not answer within ${timeoutMs} ms`);
      giveUp?.(why);
      reject(why);
    }, timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
