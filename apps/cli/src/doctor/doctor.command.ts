import { readFileSync } from 'node:fs';
import { InvalidOptionsError, toMs, type Duration } from '@roost/redis';
import type { Cli } from '../cli.js';
import { examine } from './doctor.js';
import type { Finding } from './finding.js';

export interface DoctorFlags {
  readonly url?: string;
  readonly timeout: string;
  readonly ca?: string;
  readonly json?: boolean;
}

const UNICODE = { ok: '✓', warning: '!', failure: '✗', so: '→' };
const ASCII = { ok: 'ok  ', warning: 'warn', failure: 'FAIL', so: '->' };

/** Examines Redis and says what it finds; 1 after a failure, else 0. */
export async function doctor(flags: DoctorFlags, { terminal, env }: Cli): Promise<number> {
  const options = { url: flags.url ?? env.REDIS_URL, env, ...parse(flags) };
  const marks = terminal.isTTY ? UNICODE : ASCII;
  const findings: Finding[] = [];
  for await (const finding of examine(options)) {
    findings.push(finding);
    if (flags.json) continue;
    const todo = finding.todo ? ` ${marks.so} ${finding.todo}` : '';
    terminal.line(`${marks[finding.verdict]} ${finding.step.padEnd(11)} ${finding.says}${todo}`);
  }
  const healthy = findings.every(({ verdict }) => verdict !== 'failure');
  if (flags.json) terminal.line(JSON.stringify({ healthy, findings }));
  return healthy ? 0 : 1;
}

function parse({ timeout, ca }: DoctorFlags): { deadlineMs: number; ca?: string } {
  const problems: string[] = [];
  const attempt = <T>(option: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`\`${option}\`: ${(error as Error).message}`);
      return undefined;
    }
  };
  const deadlineMs = attempt('--timeout', () => toMs(timeout as Duration));
  const authority = ca === undefined ? undefined : attempt('--ca', () => readFileSync(ca, 'utf8'));
  if (problems.length > 0) throw new InvalidOptionsError('roost doctor', problems);
  return { deadlineMs: deadlineMs!, ca: authority };
}
