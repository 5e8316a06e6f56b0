import type { RedisServer } from '@roost/testing';

/** What the server did between two readings. */
export interface ServerWork {
  readonly cpuUs: number;
  /** `EVALSHA` and `EVAL`. */
  readonly scripts: number;
  /** All other commands, those inside scripts included. */
  readonly commands: number;
  /** How often it read from a socket: commands that arrive together cost one read. */
  readonly reads: number;
  /** What came to it and what it sent, this meter's own questions included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Commands that clients and this meter send to keep house. */
const HOUSEKEEPING = new Set([
  'auth',
  'client',
  'client|setinfo',
  'client|setname',
  'flushall',
  'hello',
  'info',
  'ping',
]);

/** Whether a command, in small letters, is no part of anybody's work. */
function isHousekeeping(command: string): boolean {
  return HOUSEKEEPING.has(command);
}

const SCRIPTS = new Set(['eval', 'evalsha']);

/** Reads the server's own counters: what a client says of itself is not asked. */
export async function readServer(server: RedisServer): Promise<ServerWork> {
  const info = String(await server.command('INFO', 'everything'));
  const field = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? NaN);
  let [scripts, commands] = [0, 0];
  for (const [, name = '', calls] of info.matchAll(/^cmdstat_(.+?):calls=(\d+)/gm)) {
    if (SCRIPTS.has(name)) scripts += Number(calls);
    else if (!isHousekeeping(name)) commands += Number(calls);
  }
  const cpuUs = (field('used_cpu_sys') + field('used_cpu_user')) * 1_000_000;
  const [bytesIn, bytesOut] = [field('total_net_input_bytes'), field('total_net_output_bytes')];
  return { cpuUs, scripts, commands, reads: field('total_reads_processed'), bytesIn, bytesOut };
}

export function difference(before: ServerWork, after: ServerWork): ServerWork {
  return {
    cpuUs: after.cpuUs - before.cpuUs,
    scripts: after.scripts - before.scripts,
    commands: after.commands - before.commands,
    reads: after.reads - before.reads,
    bytesIn: after.bytesIn - before.bytesIn,
    bytesOut: after.bytesOut - before.bytesOut,
  };
}

/** Whether a client sent this line of MONITOR, and did not keep house: `1764.12 [0 127.0.0.1:40000] "SET" …`; `[0 lua]` is what a script called. */
export function isSent(line: string): boolean {
  const command = /^\S+ \[\d+ (?!lua\])\S+\] "([^"]+)"/.exec(line)?.[1];
  return command !== undefined && !isHousekeeping(command.toLowerCase());
}

/** How many commands clients sent until the load was over, a script being one; the server pays for it: time nothing meanwhile. */
export async function countSent(server: RedisServer, load: () => Promise<unknown>): Promise<number> {
  const monitor = await server.monitor();
  try {
    const from = monitor.lines.length;
    await load();
    await monitor.caughtUp();
    return monitor.lines.slice(from).filter(isSent).length;
  } finally {
    monitor.stop();
  }
}
