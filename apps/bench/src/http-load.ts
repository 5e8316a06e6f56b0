import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quantilesOf } from './closed-loop.js';

export interface HttpLoad {
  readonly port: number;
  readonly connections: number;
  /** How many clients the requests go round. */
  readonly clients: number;
}

export interface HttpResult {
  readonly requests: number;
  /** Answered by 429; wrk cannot tell it from other errors. */
  readonly refused: number;
  /** Anything else that is not 200, and broken connections. */
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** GETs for a time: by wrk, which leaves the service more of the machine, where it is installed. */
export async function loadFor(seconds: number, load: HttpLoad): Promise<HttpResult> {
  return seconds >= 1 && (await hasWrk()) ? byWrk(Math.round(seconds), load) : bySockets({ ...load, seconds });
}

/** Sends so many GETs. */
export function loadCount(count: number, load: HttpLoad): Promise<HttpResult> {
  return bySockets({ ...load, count });
}

/** Whether wrk is on PATH. */
export async function hasWrk(): Promise<boolean> {
  const { stdout, stderr } = await run('wrk', ['--version']).catch(
    (error: { stdout?: string; stderr?: string }) => error,
  );
  return `${stdout}${stderr}`.includes('wrk');
}

const run = promisify(execFile);

async function byWrk(seconds: number, { port, connections, clients }: HttpLoad): Promise<HttpResult> {
  const dir = await mkdtemp(join(tmpdir(), 'roost-bench-'));
  const script = join(dir, 'clients.lua');
  await writeFile(script, wrkScript(clients));
  try {
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `http://127.0.0.1:${port}/`];
    const { stdout } = await run('wrk', args, { timeout: (seconds + 10) * 1_000 });
    const numbers = /^ROOST ([\d. ]+)$/m.exec(stdout)?.[1]?.split(' ').map(Number);
    if (!numbers) throw new Error(`wrk said nothing to count:\n${stdout}`);
    const [requests = 0, tookUs = 0, refused = 0, failed = 0, p50Us = 0, p99Us = 0] = numbers;
    return { requests, refused, failed, seconds: tookUs / 1e6, p50Ms: p50Us / 1e3, p99Ms: p99Us / 1e3 };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The requests are made once and answers not looked at, so that wrk has little to do but to send. */
function wrkScript(clients: number): string {
  return `
local requests, at = {}, 0
function init(args)
  for i = 0, ${clients - 1} do requests[i] = wrk.format('GET', '/', { ['x-api-key'] = 'client-' .. i }) end
end
function request()
  at = (at + 1) % ${clients}
  return requests[at]
end
function done(summary, latency)
  local errors = summary.errors
  print(string.format('ROOST %d %d %d %d %d %d', summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end`;
}

interface SocketLoad extends HttpLoad {
  readonly seconds?: number;
  readonly count?: number;
}

/** One request at a time on each connection; knows of HTTP what the contestants answer: a Content-Length. */
async function bySockets(load: SocketLoad): Promise<HttpResult> {
  const { port, connections, clients, seconds = Infinity, count = Infinity } = load;
  const latencies: number[] = [];
  let [sent, refused, failed] = [0, 0, 0];
  const startedAt = performance.now();
  const over = () => sent >= count || performance.now() - startedAt >= seconds * 1_000;

  const connection = () =>
    new Promise<void>((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
      let [text, askedAt] = ['', 0];
      const ask = () => {
        if (over()) return socket.destroy();
        askedAt = performance.now();
        return socket.write(`GET / HTTP/1.1\r\nHost: bench\r\nx-api-key: client-${sent++ % clients}\r\n\r\n`);
      };
      socket.setEncoding('latin1').on('connect', ask);
      socket.on('data', (chunk) => {
        text += String(chunk);
        const head = text.indexOf('\r\n\r\n');
        if (head === -1 || text.length < head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1])) return;
        latencies.push(performance.now() - askedAt);
        const status = text.slice(9, 12);
        if (status === '429') refused++;
        else if (status !== '200') failed++;
        text = '';
        ask();
      });
      socket.on('error', () => failed++);
      socket.on('close', () => resolve());
    });
  await Promise.all(Array.from({ length: connections }, connection));

  const quantile = quantilesOf(latencies);
  const took = (performance.now() - startedAt) / 1_000;
  return { requests: latencies.length, refused, failed, seconds: took, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
