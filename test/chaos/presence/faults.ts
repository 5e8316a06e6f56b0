import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.js';
import { INSTANCE_FAULTS, type FaultName, type Step } from './plan.js';
import type { Timeline } from './timeline.js';

/** Does what the step says, and notes it. */
export function inflict(deployment: Deployment, step: Step, timeline: Timeline): Promise<void> {
  const isOfInstance = INSTANCE_FAULTS.some((name) => name === step.name);
  const life = isOfInstance ? deployment.lifeOf(one(deployment, step)) : undefined;
  return timeline.suffer(step.name, life, () => faults[step.name](deployment, step, timeline));
}

type Fault = (deployment: Deployment, step: Step, timeline: Timeline) => Promise<void>;

/** Each does its worst, for about as long as it is told, and puts everything right again. */
const faults: Readonly<Record<FaultName, Fault>> = {
  async 'redis-kill'({ redis }, { lastsMs }) {
    await redis.kill();
    await sleep(lastsMs);
    await redis.restart();
  },
  async 'redis-freeze'({ redis }, { lastsMs }) {
    redis.freeze();
    await sleep(lastsMs);
    redis.thaw();
  },
  async 'redis-cut'({ redis }, { which }) {
    await redis.command('CLIENT', 'KILL', 'TYPE', which === 0 ? 'pubsub' : 'normal').catch(() => undefined); // its own, too
  },
  async 'redis-forget'({ redis }) {
    const keys = await redis.keys('roost:*presence*');
    if (keys.length > 0) await redis.command('UNLINK', ...keys);
  },
  async kill(deployment, step, timeline) {
    const name = one(deployment, step);
    timeline.end(deployment.lifeOf(name));
    await deployment.replace(name, 'kill', step.lastsMs);
    timeline.begins.set(deployment.lifeOf(name), performance.now());
  },
  async term(deployment, step, timeline) {
    const name = one(deployment, step);
    timeline.end(deployment.lifeOf(name));
    await deployment.replace(name, 'terminate', step.lastsMs);
    timeline.begins.set(deployment.lifeOf(name), performance.now());
  },
  'freeze-short': freeze,
  'freeze-long': freeze,
};

async function freeze(deployment: Deployment, step: Step): Promise<void> {
  const name = one(deployment, step);
  deployment.signal(name, 'SIGSTOP');
  await sleep(step.lastsMs);
  deployment.signal(name, 'SIGCONT');
}

function one({ names }: Deployment, { which }: Step): string {
  return names[which % names.length]!;
}
