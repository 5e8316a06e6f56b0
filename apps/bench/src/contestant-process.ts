import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Burst } from './burst.js';
import type { Task } from './contestant.js';
import type { Contention } from './contention.js';
import type { Verbs } from './child.js';
import type { Mixture } from './fairness.js';
import type { Heartbeats } from './heartbeats.js';
import type { Production } from './jobs.js';

type Results = { [Verb in keyof Verbs]: Awaited<ReturnType<Verbs[Verb]>> };

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Nothing that is asked of a contestant takes longer, save the slice itself. */
const ANSWER_WITHIN_MS = 20_000;
/** However slow a queue is. */
const JOBS_WITHIN_MS = 30_000;

/** A contestant in a process; it ends with this one. */
export class ContestantProcess {
  constructor(
    readonly name: string,
    private readonly child: Child,
    private readonly brief: boolean,
  ) {}

  open(task: Omit<Task, 'brief'>): Promise<Results['open']> {
    return this.#call('open', [this.name, { ...task, brief: this.brief } satisfies Task]);
  }

  loop(concurrency: number, seconds: number): Promise<Results['loop']> {
    return this.#call('loop', [concurrency, seconds], seconds * 1_000);
  }

  contend(load: Contention): Promise<Results['contend']> {
    return this.#call('contend', [load], load.seconds * 1_000);
  }

  burst(load: Burst): Promise<Results['burst']> {
    return this.#call('burst', [load]);
  }

  produce(load: Production): Promise<Results['produce']> {
    return this.#call('produce', [load], JOBS_WITHIN_MS);
  }

  handled(from: number, count: number): Promise<Results['handled']> {
    return this.#call('handled', [from, count, JOBS_WITHIN_MS], JOBS_WITHIN_MS);
  }

  mix(load: Mixture): Promise<Results['mix']> {
    return this.#call('mix', [load], JOBS_WITHIN_MS);
  }

  arrive(load: Heartbeats): Promise<void> {
    return this.#call('arrive', [load]);
  }

  live(load: Heartbeats): Promise<Results['live']> {
    return this.#call('live', [load], load.seconds * 1_000);
  }

  checkOnline(load: Heartbeats): Promise<void> {
    return this.#call('checkOnline', [load]);
  }

  ask(times: number, patienceMs: number): Promise<Results['ask']> {
    return this.#call('ask', [times, patienceMs], times * patienceMs);
  }

  status(): Promise<Results['status']> {
    return this.#call('status', []);
  }

  close(): Promise<void> {
    return this.#call('close', []);
  }

  /** Ends the process. */
  stop(): Promise<void> {
    return this.child.stop();
  }

  async #call<Verb extends keyof Verbs>(verb: Verb, args: readonly unknown[], extraMs = 0): Promise<Results[Verb]> {
    const reply = await this.child.ask(verb, args, ANSWER_WITHIN_MS + extraMs);
    if (reply.error !== undefined) throw new Error(`${this.name}: ${reply.error}`);
    return reply.result as Results[Verb];
  }
}

/** A process that contestants can be opened in, one after the other. */
export class Child {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, (reply: Reply) => void>();
  #id = 0;

  constructor() {
    this.#process = fork(fileURLToPath(new URL('./child.js', import.meta.url)), {
      serialization: 'advanced',
      env: { PATH: process.env['PATH'], NODE_ENV: 'production' },
    });
    this.#process.on('message', (reply: Reply) => this.#pending.get(reply.id)?.(reply));
    this.#process.once('exit', (code, signal) => this.#fail(`ended by itself: ${code ?? signal}`));
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async ask(verb: keyof Verbs, args: readonly unknown[], withinMs: number): Promise<Reply> {
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    const reply = await new Promise<Reply>((resolve) => {
      this.#pending.set(id, resolve);
      timer = setTimeout(() => resolve({ id, error: `no answer to ${verb}` }), withinMs);
      this.#process.send({ id, verb, args }, (failure) => failure && resolve({ id, error: failure.message }));
    });
    clearTimeout(timer);
    this.#pending.delete(id);
    return reply;
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #fail(error: string): void {
    for (const [id, resolve] of this.#pending) resolve({ id, error });
  }
}
