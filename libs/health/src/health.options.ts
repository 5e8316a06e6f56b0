import { InvalidOptionsError, show } from '@roost/redis';

/** Options of {@link HealthModule}. */
export interface HealthModuleOptions {
  /**
   * How long the server keeps answering after SIGTERM, in ms, while `/readyz` already says `shutting_down`: the time
   * that load balancers need to notice.
   * @default 0
   */
  readonly drainMs?: number;
  /**
   * How long requests in flight may take once the server closes, in ms; then their connections are cut.
   * @default 10_000
   */
  readonly closeWithinMs?: number;
  /** Whether `/metrics` also tells about the process: CPU, memory, event loop, garbage collection. @default false */
  readonly processMetrics?: boolean;
}

/** The options with nothing left open. */
export type HealthSettings = Required<HealthModuleOptions>;

/** @throws InvalidOptionsError that names every wrong option. */
export function resolveHealthOptions(options: HealthModuleOptions): HealthSettings {
  const { drainMs = 0, closeWithinMs = 10_000, processMetrics = false } = options;
  const problems: string[] = [];
  for (const [name, value] of Object.entries({ drainMs, closeWithinMs })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      problems.push(`Expected \`${name}\` to be a whole number of milliseconds from 0, got ${show(value)}`);
    }
  }
  if (typeof processMetrics !== 'boolean') {
    problems.push(`Expected \`processMetrics\` to be true or false, got ${show(processMetrics)}`);
  }
  if (problems.length > 0) throw new InvalidOptionsError('HealthModule', problems);
  return { drainMs, closeWithinMs, processMetrics };
}
