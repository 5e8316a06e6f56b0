import { RoostError } from '@roost/redis';

/** Thrown at boot when environment variables are wrong; lists all of them. */
export class InvalidConfigError extends RoostError {
  static override readonly code: string = 'config.invalid';

  constructor(readonly problems: readonly string[]) {
    const list = problems.map((problem) => `  - ${problem}`).join('\n');
    super(`The service cannot start: ${problems.length} wrong in the environment (see .env.example).\n${list}`);
  }
}
