/** Stands where a tally stood while its subject is blocked. */
export class Block {
  constructor(readonly expiresUs: number) {}
}

/** Refusals, remembered under a key of their own. */
export class Violations {
  constructor(
    readonly count: number,
    readonly expiresUs: number,
  ) {}
}
