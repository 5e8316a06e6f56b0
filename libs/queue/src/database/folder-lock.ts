import { outsideRequests } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const BEAT_MS = 2_000;
const STALE_MS = 15_000;
const SETTLE_MS = 20;

/** Who has a folder. */
interface Owner {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  /** When the process began, as its system counts it: a pid alone comes again, in a container always the same one. */
  readonly began: string;
}

/** A file that says which process uses a folder; that of a process that crashed is taken over. */
export class FolderLock {
  readonly #own: Owner = { token: randomUUID(), pid: process.pid, host: hostname(), began: beganAt(process.pid) ?? '' };
  #beat?: NodeJS.Timeout;

  constructor(private readonly path: string) {}

  /** Takes it; or tells who has it, as `pid@host`. */
  async take(): Promise<string | undefined> {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (await this.#create()) {
        // Who found the one before us stale may only now move away what is there: ours.
        await sleep(SETTLE_MS);
        if ((await this.#owner())?.token !== this.#own.token) continue;
        this.#beat = outsideRequests(() => setInterval(() => this.#touch(), BEAT_MS).unref());
        return undefined;
      }
      const owner = await this.#owner();
      if (owner && !(await this.#isStale(owner))) return `${owner.pid}@${owner.host}`;
      if (owner) await this.#remove(owner);
    }
    return 'another';
  }

  async release(): Promise<void> {
    clearInterval(this.#beat);
    const owner = await this.#owner();
    if (owner?.token === this.#own.token) await rm(this.path, { force: true });
  }

  /** Appears with its content or not at all, so that nobody reads half of it. */
  async #create(): Promise<boolean> {
    const draft = `${this.path}.${this.#own.token}`;
    await writeFile(draft, JSON.stringify(this.#own));
    try {
      await link(draft, this.path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(draft, { force: true });
    }
  }

  async #owner(): Promise<Owner | undefined> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return text === undefined ? undefined : ownerOf(text);
  }

  /** A process of this machine is asked for; one of another machine or container gives signs of life. */
  async #isStale({ pid, host, began }: Owner): Promise<boolean> {
    if (host === this.#own.host && began !== '') return beganAt(pid) !== began;
    const touched = await stat(this.path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0, // gone meanwhile
    );
    return Date.now() - touched > STALE_MS;
  }

  /** Moved away first: who else found it stale may have taken it since, and then gets it back. */
  async #remove({ token }: Owner): Promise<void> {
    const aside = `${this.path}.${this.#own.token}.stale`;
    try {
      await rename(this.path, aside);
      if (ownerOf(await readFile(aside, 'utf8')).token !== token) await link(aside, this.path);
    } catch (error) {
      if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error; // another was faster
    } finally {
      await rm(aside, { force: true });
    }
  }

  #touch(): void {
    const now = new Date();
    utimes(this.path, now, now).catch(() => {}); // the folder was removed: who did that wanted it gone
  }
}

function ownerOf(text: string): Owner {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return { token: text, pid: 0, host: '', began: '' }; // not ours: judged by its age
  }
}

/** When a process began, in ticks since the boot of its system; undefined when there is none, `''` when nobody can tell. */
function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything; behind it the first field is the state and the 20th the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19]; // a zombie has ended, and waits for its parent to notice
  } catch {
    return process.platform === 'linux' ? undefined : '';
  }
}
