import { InvalidOptionsError, show } from '@roost/redis';

/** Options of {@link HealthModule}. */
export interface HealthModuleOptions {
  /**
   * How long the server keeps answering after SIGTERM, in ms, while `/readyz` already says `shutting_down`: the time
   * that load balancers need to notice.
   * @default 0
   */
  readonly drainMs?: number;
  /** Whether `/metrics` also tells about the process: CPU, memory, event loop, garbage collection. @default false */
  readonly processMetrics?: boolean;
}

/** The options with nothing left open. */
export type HealthSettings = Required<HealthModuleOptions>;

/** @throws InvalidOptionsError that names every wrong option. */
export function resolveHealthOptions({ drainMs = 0, processMetrics = false }: HealthModuleOptions): HealthSettings {
  const problems: string[] = [];
  if (!Number.isSafeInteger(drainMs) || drainMs < 0) {
    problems.push(`Expected \`drainMs\` to be a whole number of milliseconds from 0, got ${show(drainMs)}`);
  }
  if (typeof processMetrics !== 'boolean') {
    problems.push(`Expected \`processMetrics\` to be true or false, got ${show(processMetrics)}`);
  }
  if (problems.length > 0) throw new InvalidOptionsError('HealthModule', problems);
  return { drainMs, processMetrics };
}
