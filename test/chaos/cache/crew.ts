import { FaultProxy, type RedisServer } from '@roost/testing';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Random } from '../random.js';
import type { Answer, Order } from './messages.js';

type Work = Extract<Order, { readonly verb: unknown }>;
type Done = Extract<Answer, { readonly calls: unknown }>;

/** What is asked of a node. */
export type Wish = Pick<Work, 'verb' | 'names'> & Partial<Pick<Work, 'value' | 'load' | 'next'>>;

const MOST_DELAY_MS = 5;

/** The nodes, in processes of two, each with a way of its own to Redis: to one of two answers come late, to the other news. */
export class Crew {
  /** What the processes printed or ended with, which should be nothing. */
  odd = '';
  readonly #proxies: FaultProxy[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #waiting = new Map<number, (done: Done) => void>();
  #orders = 0;
  #stopping = false;

  private constructor(private readonly origin: (key: string) => number) {}

  static async start(
    parts: { readonly server: RedisServer; readonly entry: string; readonly random: Random; readonly nodes: number },
    origin: (key: string) => number,
  ): Promise<Crew> {
    const crew = new Crew(origin);
    try {
      for (let node = 0; node < parts.nodes; node++) {
        const proxy = await FaultProxy.start({ target: parts.server });
        crew.#proxies.push(proxy);
        await proxy.jitter((news) => (news === (node % 2 === 1) ? parts.random.next() * MOST_DELAY_MS : 0), 'TRACKING');
      }
      const urls = crew.#proxies.map(({ url }) => url);
      const pairs = urls.flatMap((url, index) => (index % 2 === 0 ? [[url, ...urls.slice(index + 1, index + 2)]] : []));
      await Promise.all(pairs.map((pair) => crew.#fork(parts.entry, pair)));
      return crew;
    } catch (error) {
      await crew.stop();
      throw error;
    }
  }

  get processes(): number {
    return this.#children.length;
  }

  ask(node: number, { load = { ms: 0, fails: false }, ...wish }: Wish): Promise<Done> {
    const id = ++this.#orders;
    const order: Work = { id, node: node % 2, load, ...wish };
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send(this.#children[Math.floor(node / 2)]!, order);
    });
  }

  signal(index: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#children[index]!.kill(signal);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
        await ended;
        clearTimeout(timer);
      }),
    );
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
  }

  async #fork(entry: string, urls: readonly string[]): Promise<void> {
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, NODE_ENV: 'production' };
    const child = fork(entry, urls, { execArgv: [], env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#children.push(child);
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (text: Buffer) => (this.odd += String(text)));
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (answer: Answer) => {
        if ('ready' in answer) resolve();
        else this.#heard(child, answer);
      });
      child.once('exit', (code, signal) => {
        if (!this.#stopping) this.odd += `A process ended with ${code ?? signal}\n`;
        for (const [id, done] of this.#waiting) done({ id, calls: [], doneAt: 0, odd: 'a process has ended' });
        reject(new Error(`The worker has ended: ${this.odd}`));
      });
    });
    await ready;
  }

  #heard(child: ChildProcess, answer: Exclude<Answer, { readonly ready: true }>): void {
    if ('load' in answer) return this.#send(child, { loaded: answer.load, value: this.origin(answer.key) });
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  #send(child: ChildProcess, order: Order): void {
    if (child.connected) child.send(order);
  }
}
