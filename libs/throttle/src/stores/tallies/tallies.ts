import type { AlgorithmName } from '../../algorithms/algorithm.js';
import { Calendars } from '../../algorithms/calendar.js';
import { fixedWindowAt } from '../../algorithms/windows.js';
import { GcraTally } from './gcra.tally.js';
import { LedgerTally } from './ledger.tally.js';
import { SlidingWindowTally } from './sliding-window.tally.js';
import type { Tally } from './tally.js';
import { WindowTally, type WindowAt } from './window.tally.js';

/** Makes the tallies of subjects that are new. */
export class Tallies {
  readonly #calendars = new Calendars();
  readonly #periodAt: WindowAt = ({ calendar }, nowUs) => this.#calendars.periodAt(calendar!, nowUs);

  of(algorithm: AlgorithmName): Tally {
    switch (algorithm) {
      case 'gcra':
        return new GcraTally();
      case 'fixed-window':
        return new WindowTally(epochWindowAt);
      case 'calendar':
        return new WindowTally(this.#periodAt);
      case 'sliding-window':
        return new SlidingWindowTally();
      case 'sliding-log':
      case 'concurrency':
        return new LedgerTally();
    }
  }
}

const epochWindowAt: WindowAt = ({ windowUs }, nowUs) => fixedWindowAt(windowUs, nowUs);
