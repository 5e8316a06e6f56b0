import { show, type Duration } from '@roost/redis';
import type { LoggerService } from '@nestjs/common';
import { InvalidLockOptionsError } from '../lock.errors.js';
import type { DutyLocks } from './duties.parts.js';
import { Candidacy, type Election, type ElectionOptions } from './election.js';
import type { Pause } from './pause.js';

/** What elections need of their module. */
export interface ElectionsParts {
  readonly locks: Pick<DutyLocks, 'acquire'>;
  readonly logger: Pick<LoggerService, 'error' | 'warn'>;
  /** What a written `ttl` comes to, or the module's. @throws InvalidLockOptionsError */
  ttlMsOf(ttl: Duration | undefined): number;
  readonly pause?: Pause;
}

const KNOWN = new Set<string>(['onElected', 'onDemoted', 'ttl'] satisfies (keyof ElectionOptions)[]);

/** Every election that this application stands in. */
export class Elections {
  readonly #standing = new Set<Candidacy>();
  #closed = false;

  constructor(private readonly parts: ElectionsParts) {}

  /** @throws InvalidLockOptionsError that names every problem at once. */
  stand(name: string, options: ElectionOptions): Election {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidLockOptionsError([`expected options such as { onElected }, got ${show(options)}`]);
    }
    const problems: string[] = [];
    if (typeof name !== 'string' || name === '') problems.push(`expected a name of the election, got ${show(name)}`);
    for (const option of Object.keys(options)) if (!KNOWN.has(option)) problems.push(`unknown option \`${option}\``);
    const { onElected, onDemoted } = options;
    if (typeof onElected !== 'function')
      problems.push(`expected \`onElected\` to be a function, got ${show(onElected)}`);
    if (onDemoted !== undefined && typeof onDemoted !== 'function') {
      problems.push(`expected \`onDemoted\` to be a function, got ${show(onDemoted)}`);
    }
    if (problems.length > 0) throw new InvalidLockOptionsError(problems);
    const candidacy = new Candidacy(name, options, { ...this.parts, ttlMs: this.parts.ttlMsOf(options.ttl) });
    this.#standing.add(candidacy);
    void candidacy.over.then(() => this.#standing.delete(candidacy));
    if (this.#closed) void candidacy.stop();
    return candidacy;
  }

  /** Resigns everywhere: others need not wait for this process to end. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#standing].map((candidacy) => candidacy.stop()));
  }
}
