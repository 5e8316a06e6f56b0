import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';
import { Leash } from './leash.js';
import { freePort } from './ports.js';

/** How a {@link ServiceProcess} is started. */
export interface ServiceProcessOptions {
  /** The JavaScript file to run. */
  readonly entry: string;
  /** Arguments behind the entry. */
  readonly args?: readonly string[];
  /** Arguments before the entry, for node itself. */
  readonly nodeArgs?: readonly string[];
  /** The whole environment but for PATH and HOME; `PORT` is a free one unless given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Path or URL that answers 200 once the service is ready; false to return at once. @default '/readyz' */
  readonly readyUrl?: string | false;
  /** @default 15_000 */
  readonly readyWithinMs?: number;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of structured log. */
export type LogEntry = Readonly<Record<string, unknown>>;

/**
 * A service in a process of its own, watched from outside: by HTTP, by its logs, by how it exits.
 * @example
 * const service = await ServiceProcess.start({ entry: 'dist/main.js', env: { REDIS_URL: server.url } });
 * expect((await service.fetch('/bookings')).status).toBe(200);
 * expect(await service.stop()).toEqual({ code: 0, signal: null });
 */
export class ServiceProcess {
  readonly url: string;
  readonly pid: number;
  /** Settles once the process has ended and all it printed is read. */
  readonly exited: Promise<ProcessExit>;
  /** All that was printed to stdout and stderr, in order of arrival. */
  output = '';
  readonly lines: string[] = [];
  /** The lines that are JSON objects. */
  readonly logs: LogEntry[] = [];
  readonly #child: ChildProcess;
  #exit: ProcessExit | undefined;

  private constructor(options: ServiceProcessOptions, port: string) {
    const { entry, args = [], nodeArgs = [], env = {}, cwd } = options;
    this.url = `http://127.0.0.1:${port}`;
    this.#child = spawn(process.execPath, [...nodeArgs, entry, ...args], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env, PORT: port },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? -1;
    this.#collect(this.#child.stdout);
    this.#collect(this.#child.stderr);
    this.exited = this.#watchExit();
  }

  /** Starts the service and waits until it is ready; otherwise rejects with all it printed. */
  static async start(options: ServiceProcessOptions): Promise<ServiceProcess> {
    const service = new ServiceProcess(options, options.env?.['PORT'] ?? String(await freePort()));
    if (options.readyUrl !== false) {
      await service.#untilReady(options.readyUrl ?? '/readyz', options.readyWithinMs ?? 15_000);
    }
    return service;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Asks the service over HTTP. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(new URL(path, this.url), init);
  }

  /** Sends a signal, unless the process has already ended. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks the process to end by SIGTERM, and ends it by SIGKILL after the grace. May be called twice. */
  async stop(graceMs = 5_000): Promise<ProcessExit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** The first entry of the log, past or to come, that satisfies the predicate. */
  async waitForLog(predicate: (entry: LogEntry) => boolean, timeoutMs = 5_000): Promise<LogEntry> {
    const find = () => this.logs.find(predicate);
    await eventually(() => Boolean(find() ?? !this.running), { within: timeoutMs, every: 10 }).catch(() => {}); // told below
    const entry = find();
    if (entry) return entry;
    throw new Error(
      `No such log entry ${this.running ? `within ${timeoutMs} ms` : 'before the exit'}.${this.#printed}`,
    );
  }

  async #untilReady(readyUrl: string, withinMs: number): Promise<void> {
    const url = new URL(readyUrl, this.url);
    const isReady = async () => (await fetch(url, { signal: AbortSignal.timeout(1_000) })).status === 200;
    try {
      await eventually(async () => !this.running || (await isReady()), { within: withinMs, every: 25 });
    } catch (cause) {
      await this.stop(0);
      throw new Error(`The service was not ready at ${url.href} within ${withinMs} ms.${this.#printed}`, { cause });
    }
    if (this.running) return;
    const { code, signal } = await this.exited;
    throw new Error(`The service ended (code ${code}, signal ${signal}) before it was ready.${this.#printed}`);
  }

  get #printed(): string {
    return ` It printed:\n${this.output || '(nothing)'}`;
  }

  #collect(stream: NodeJS.ReadableStream | null): void {
    let rest = '';
    const take = (text: string) => {
      this.output += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#addLine(line);
    };
    stream?.setEncoding('utf8');
    stream?.on('data', take);
    stream?.on('end', () => rest && this.#addLine(rest));
  }

  #addLine(line: string): void {
    this.lines.push(line);
    if (!line.startsWith('{')) return;
    try {
      this.logs.push(JSON.parse(line) as LogEntry);
    } catch {
      // It only looked like a log entry; it stays among the lines.
    }
  }

  async #watchExit(): Promise<ProcessExit> {
    const leash = new Leash();
    leash.hold(this.#child);
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    const exit = await new Promise<ProcessExit>((resolve) => {
      this.#child.once('error', (error) => {
        this.output += `${error.message}\n`; // it could not even be started: a missing `cwd`, for one
        resolve({ code: null, signal: null });
      });
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    leash.cut();
    await Promise.race([closed, sleep(250)]); // a grandchild may hold the pipes open for longer
    return (this.#exit = exit);
  }
}
