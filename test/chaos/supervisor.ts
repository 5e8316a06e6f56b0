import type { ServiceProcess } from '@roost/testing';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** One process, which is started again and again. */
interface Member {
  incarnation: number;
  process: ServiceProcess | undefined;
}

export const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 15_000;

/** Starts what has ended. */
export abstract class Supervisor {
  readonly #members = new Map<string, Member>();
  readonly #ended: { readonly name: string; readonly process: ServiceProcess }[] = [];
  readonly #doomed = new Set<ServiceProcess>();
  /** Processes that ended when nobody had killed them, or not well when they were asked to. */
  readonly odd: string[] = [];
  /** Boots that failed, because a server was gone. */
  failedBoots = 0;

  /** Starts a process of this name once. */
  protected abstract launch(name: string): Promise<ServiceProcess>;

  /** Starts those that are to run. */
  protected async begin(names: readonly string[]): Promise<void> {
    for (const name of names) this.#members.set(name, { incarnation: 0, process: undefined });
    await Promise.all(names.map((name) => this.revive(name)));
  }

  /** Where a member answers, as it was started last. */
  urlOf(name: string): string | undefined {
    return this.#members.get(name)!.process?.url;
  }

  /** The name of a process since its last start; mails are sent in this name. */
  lifeOf(name: string): string {
    return `${name}.${this.#members.get(name)!.incarnation}`;
  }

  /** Which member has this process id now. */
  memberOf(pid: number): string | undefined {
    return [...this.#members].find(([, { process }]) => process?.running && process.pid === pid)?.[0];
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#members.get(name)!.process?.signal(signal);
  }

  async kill(name: string): Promise<void> {
    const { process } = this.#members.get(name)!;
    if (!process) return;
    this.#doomed.add(process);
    process.signal('SIGKILL');
    await process.exited;
  }

  /** Asks a member to end, which it has to do by itself. */
  async terminate(name: string): Promise<void> {
    const { process } = this.#members.get(name)!;
    if (!process) return;
    this.#doomed.add(process);
    const { code, signal } = await process.stop(STOP_WITHIN_MS);
    if (code !== 0) this.odd.push(`${this.lifeOf(name)} was asked to end, and ended with ${code ?? signal}`);
  }

  /** Starts a member that does not run, as often as it takes. */
  async revive(name: string): Promise<void> {
    const found = this.#members.get(name)!;
    const until = performance.now() + READY_WITHIN_MS;
    while (!found.process?.running) {
      if (found.process) this.#ended.push({ name: this.lifeOf(name), process: found.process });
      found.process = undefined;
      found.incarnation++;
      try {
        found.process = await this.launch(name);
        this.#watch(this.lifeOf(name), found.process);
      } catch (error) {
        if (performance.now() > until) throw error;
        this.failedBoots++;
        await sleep(100);
      }
    }
  }

  /** Writes down what all processes have printed, and returns the folder. */
  saveLogs(): string {
    const dir = mkdtempSync(join(tmpdir(), 'roost-chaos-'));
    const living = [...this.#members].flatMap(([name, { process }]) =>
      process ? [{ name: this.lifeOf(name), process }] : [],
    );
    for (const { name, process } of [...this.#ended, ...living])
      writeFileSync(join(dir, `${name}.log`), process.output);
    return dir;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#members.keys()].map((name) => this.terminate(name)));
  }

  #watch(life: string, process: ServiceProcess): void {
    void process.exited.then(({ code, signal }) => {
      if (!this.#doomed.has(process)) this.odd.push(`${life} ended by itself, with ${code ?? signal}`);
    });
  }
}
