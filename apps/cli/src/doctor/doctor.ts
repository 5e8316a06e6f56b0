import { failure, type Finding, type Outcome } from './finding.js';
import { dns, scheme, tcp, tls } from './network.steps.js';
import { NoReplyError } from './resp-connection.js';
import { clients, eviction, memory, persistence, version } from './server.steps.js';
import { auth, database, latency, ping, silent, write } from './session.steps.js';
import { Visit, type Step, type VisitOptions } from './visit.js';

/** In the order in which a connection comes to life; each relies on those before it. */
const STEPS: readonly (readonly [name: string, step: Step])[] = [
  ['scheme', scheme],
  ['dns', dns],
  ['tcp', tcp],
  ['tls', tls],
  ['ping', ping],
  ['auth', auth],
  ['database', database],
  ['write', write],
  ['latency', latency],
  ['version', version],
  ['eviction', eviction],
  ['persistence', persistence],
  ['memory', memory],
  ['clients', clients],
];

/**
 * Examines a Redis server step by step, giving each finding as it is made. Ends after the first failure.
 * Each command and each connection has its own deadline, so a frozen server ends the examination, never hangs it.
 */
export async function* examine(options: VisitOptions): AsyncGenerator<Finding, void, void> {
  const visit = new Visit(options);
  try {
    for (const [name, step] of STEPS) {
      const outcome = await step(visit).catch((error: unknown) => lostContact(error, options.deadlineMs));
      if (!outcome) continue;
      yield { step: name, ...outcome };
      if (outcome.verdict === 'failure') return;
    }
  } finally {
    visit.close();
  }
}

function lostContact(error: unknown, deadlineMs: number): Outcome {
  if (!(error instanceof NoReplyError)) throw error;
  if (error.kind === 'timeout') return silent(deadlineMs);
  return failure(`the connection was lost (${error.code ?? error.kind})`, 'The server went away: look into its log.');
}
