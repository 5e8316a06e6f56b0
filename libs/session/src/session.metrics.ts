import { Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';

/** What became of reading a session: `copy` was served in an outage, `unavailable` had none. */
export type SessionRead = 'found' | 'none' | 'corrupt' | 'copy' | 'unavailable';
export type SessionWrite = 'start' | 'save' | 'touch' | 'rotate' | 'end';
/** `gone`: there was no such session any more; `failed`: Redis was lost. */
export type SessionWritten = 'done' | 'gone' | 'failed';
export type CodeOutcome = 'issued' | 'cooldown' | 'locked' | 'accepted' | 'wrong' | 'none' | 'failed';
export type TokenOutcome = 'issued' | 'redeemed' | 'refused' | 'failed';

/** What this lib tells of itself; never whose session, code or token. */
@Injectable()
export class SessionMetrics {
  readonly #reads;
  readonly #writes;
  readonly #codes;
  readonly #tokens;
  readonly #stale;
  #copies: () => number = () => 0;

  constructor(metrics: Metrics) {
    this.#reads = metrics.counter('roost_session_reads_total', 'Sessions asked for, by what was found', ['result']);
    this.#writes = metrics.counter('roost_session_writes_total', 'Writes of sessions, by what became of them', [
      'verb',
      'outcome',
    ]);
    this.#codes = metrics.counter('roost_session_codes_total', 'One-time codes asked for and tried', ['outcome']);
    this.#tokens = metrics.counter('roost_session_tokens_total', 'One-time tokens made and redeemed', ['outcome']);
    this.#stale = metrics.counter('roost_session_stale_features_total', 'Features told from what was last known');
    const gauge: { set(value: number): void } = metrics.gauge(
      'roost_session_copies',
      'Sessions that this process could serve in an outage',
      [],
      () => gauge.set(this.#copies()),
    );
  }

  /** Where the gauge is read from at each scrape. */
  show(copies: () => number): void {
    this.#copies = copies;
  }

  read(result: SessionRead): void {
    this.#reads.inc({ result });
  }

  wrote(verb: SessionWrite, outcome: SessionWritten): void {
    this.#writes.inc({ verb, outcome });
  }

  code(outcome: CodeOutcome): void {
    this.#codes.inc({ outcome });
  }

  token(outcome: TokenOutcome): void {
    this.#tokens.inc({ outcome });
  }

  staleFeature(): void {
    this.#stale.inc({});
  }
}
