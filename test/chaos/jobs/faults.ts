import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.js';
import type { FaultName, Step } from './plan.js';

/** Something that was broken, and whom that explains. */
export interface Incident {
  readonly name: FaultName;
  /** `redis`, `postgres`, or a process since its last start, such as `worker1.2`. */
  readonly target: string;
  /** By the clock of this machine, in ms. */
  readonly from: number;
  /** When it was whole again; what was killed is only ever replaced. */
  until: number;
}

/** Remembers what is broken from now on; the function that it returns, when that has ended. */
type Break = (name: FaultName, target: string) => () => void;

const AIM_WITHIN_MS = 10_000;

type Fault = (deployment: Deployment, step: Step, breaks: Break) => Promise<void>;

/** Each does its worst, for about as long as it is told, and puts everything right again. */
export const faults: Readonly<Record<FaultName, Fault>> = {
  async 'redis-kill'({ redis }, { name, lastsMs }, breaks) {
    const mended = breaks(name, 'redis');
    await redis!.kill();
    await sleep(lastsMs);
    await redis!.restart();
    mended();
  },
  async 'redis-freeze'({ redis }, { name, lastsMs }, breaks) {
    const mended = breaks(name, 'redis');
    redis!.freeze();
    await sleep(lastsMs);
    redis!.thaw();
    mended();
  },
  async 'postgres-kill'({ postgres }, { name, lastsMs }, breaks) {
    const mended = breaks(name, 'postgres');
    await postgres.kill();
    await sleep(lastsMs);
    await postgres.restart();
    mended();
  },
  'web-kill': (deployment, step, breaks) => killOne(deployment, one(deployment, 'web', step), step, breaks),
  'worker-kill': (deployment, step, breaks) => killOne(deployment, one(deployment, 'worker', step), step, breaks),
  async 'worker-term'(deployment, step, breaks) {
    const worker = one(deployment, 'worker', step);
    const mended = breaks(step.name, deployment.lifeOf(worker));
    await deployment.terminate(worker);
    mended();
    await sleep(step.lastsMs);
    await deployment.revive(worker);
  },
  async 'worker-freeze'(deployment, step, breaks) {
    const worker = one(deployment, 'worker', step);
    const mended = breaks(step.name, deployment.lifeOf(worker));
    deployment.signal(worker, 'SIGSTOP');
    await sleep(step.lastsMs);
    deployment.signal(worker, 'SIGCONT');
    mended();
  },
  async 'relay-kill'(deployment, step, breaks) {
    const relay = await relaying(deployment);
    if (relay !== undefined) await killOne(deployment, relay, step, breaks);
  },
};

async function killOne(deployment: Deployment, name: string, step: Step, breaks: Break): Promise<void> {
  const mended = breaks(step.name, deployment.lifeOf(name));
  await deployment.kill(name);
  mended();
  await sleep(step.lastsMs);
  await deployment.revive(name);
}

function one(deployment: Deployment, role: 'web' | 'worker', { which }: Step): string {
  const names = deployment.names(role);
  return names[which % names.length]!;
}

/** Who has claimed jobs of the outbox and not yet forgotten them: a relay is called after its process. */
async function relaying(deployment: Deployment): Promise<string | undefined> {
  const until = performance.now() + AIM_WITHIN_MS;
  while (performance.now() < until) {
    const claims = await deployment.pool
      .query<{ relay: string }>(
        'SELECT DISTINCT claimed_by AS relay FROM roost_queue.outbox WHERE claimed_by IS NOT NULL',
      )
      .catch(() => undefined); // another fault has Postgres
    for (const { relay } of claims?.rows ?? []) {
      const name = deployment.memberOf(Number(relay.split(':')[1]));
      if (name !== undefined) return name;
    }
    await sleep(claims === undefined ? 50 : 1);
  }
  return undefined;
}
