import { setTimeout as sleep } from 'node:timers/promises';
import { burst, type Burst, type BurstSeen } from './burst.js';
import { closedLoop, type LoopResult } from './closed-loop.js';
import type { Opened, Task } from './contestant.js';
import { contend, type Contended, type Contention } from './contention.js';
import { contestantCalled } from './contestants/index.js';
import { mix, type Mixture, type MixtureSeen } from './fairness.js';
import { arrive, checkOnline, live, type Heartbeats, type HeartbeatsSeen } from './heartbeats.js';
import { produce, type Handled, type Produced, type Production } from './jobs.js';

/** Milliseconds until an answer, or null when there was none in time. */
export type AnswerTime = number | null;

let opened: Opened | undefined;

/** What the parent process may ask for; arguments and results travel as messages. */
const verbs = {
  /** Opens the contestant and looks whether it does its work; resolves to its port, if it has one, and what is wrong. */
  async open(name: string, task: Task): Promise<{ port: number | undefined; problem: string | undefined }> {
    opened = await (await contestantCalled(name))(task);
    return { port: opened.port, problem: await opened.verify?.() };
  },
  loop(concurrency: number, seconds: number): Promise<LoopResult> {
    return closedLoop((index) => opened!.operate!(index), { concurrency, seconds });
  },
  contend(load: Contention): Promise<Contended> {
    return contend((key) => opened!.acquire!(key), load);
  },
  burst(load: Burst): Promise<BurstSeen> {
    return burst((key, origin) => opened!.load!(key, origin), load);
  },
  produce(load: Production): Promise<Produced> {
    return produce(opened!.jobs!, load);
  },
  /** Waits until `count` jobs were handled since it opened, and tells of all after the first `from`. */
  handled(from: number, count: number, withinMs: number): Promise<Handled> {
    return opened!.handled!.until(from, count, withinMs);
  },
  mix(load: Mixture): Promise<MixtureSeen> {
    return mix(opened!.jobs!, opened!.handled!, load);
  },
  arrive(load: Heartbeats): Promise<void> {
    return arrive(opened!.online!, load);
  },
  live(load: Heartbeats): Promise<HeartbeatsSeen> {
    return live(opened!.online!, load);
  },
  checkOnline(load: Heartbeats): Promise<void> {
    return checkOnline(opened!.online!, load);
  },
  /** Asks `times` times, one after the other; stops at the second that was not answered in time. */
  async ask(times: number, patienceMs: number): Promise<AnswerTime[]> {
    const answers: AnswerTime[] = [];
    while (answers.length < times && answers.filter((each) => each === null).length < 2) {
      const askedAt = performance.now();
      // That it fails at once is an answer, too.
      const answered = opened!.operate!(answers.length).then(
        () => true,
        () => true,
      );
      const intime = await Promise.race([answered, sleep(patienceMs, false)]);
      answers.push(intime ? performance.now() - askedAt : null);
    }
    return answers;
  },
  status(): { cpuUs: number; admitted: number; serverCpuUs: number | undefined } {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, admitted: opened?.admitted?.() ?? 0, serverCpuUs: opened?.serverCpuUs?.() };
  },
  async close(): Promise<void> {
    await opened?.close();
    opened = undefined;
  },
};

/** What a contestant's process can be asked for. */
export type Verbs = typeof verbs;

interface Request {
  readonly id: number;
  readonly verb: keyof Verbs;
  readonly args: readonly unknown[];
}

process.on('message', ({ id, verb, args }: Request) => {
  const run = verbs[verb] as (...args: readonly unknown[]) => unknown;
  Promise.resolve()
    .then(() => run(...args))
    .then(
      (result) => process.send!({ id, result }),
      (error: Error) => process.send!({ id, error: String(error.stack) }),
    );
});
process.on('disconnect', () => process.exit());
