import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { methodsOf, show } from '@roost/redis';
import { milliseconds, type LockConfig } from '../lock.config.js';
import type { Lock } from '../lock.js';
import { CronSchedule } from './cron.schedule.js';
import { writtenCronsOf, type LockedCronOptions, type WrittenCron } from './locked-cron.decorator.js';

/** Something to be done at each fire of a schedule. */
export interface CronDuty {
  readonly name: string;
  readonly schedule: Pick<CronSchedule, 'after'>;
  readonly atLeastMs: number;
  /** Not below `atLeastMs`: also a process that dies at once leaves the fire taken for so long. */
  readonly ttlMs: number;
  run(lock: Lock): unknown;
}

const KNOWN = new Set<string>([
  'name',
  'timeZone',
  'per',
  'atLeast',
  'ttl',
  'onUnavailable',
] satisfies (keyof LockedCronOptions)[]);

/** All duties of the application. Pushes what is wrong with them. */
export function discoverCrons(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  config: Pick<LockConfig, 'ttlMs' | 'maxTtlMs'>,
  problems: string[],
): CronDuty[] {
  const duties = new Map<string, CronDuty>();
  for (const { at, method, single, call } of methodsOf(discovery, scanner)) {
    for (const written of writtenCronsOf(method)) {
      if (!single) {
        problems.push(`@LockedCron on ${at}: a provider that is not made once for all cannot run by itself`);
        continue;
      }
      const duty = dutyOf(written, at, config, call, problems);
      if (duties.has(duty.name)) {
        problems.push(`@LockedCron on ${at}: the name ${show(duty.name)} is taken; give another`);
      }
      duties.set(duty.name, duty);
    }
  }
  return [...duties.values()];
}

function dutyOf(
  { pattern, options }: WrittenCron,
  at: string,
  config: Pick<LockConfig, 'ttlMs' | 'maxTtlMs'>,
  run: CronDuty['run'],
  all: string[],
): CronDuty {
  const problems: string[] = [];
  const {
    name = at,
    timeZone = 'UTC',
    per = 'fire',
    atLeast = Math.min(30_000, config.maxTtlMs),
    ttl,
    onUnavailable = 'skip',
  } = options;
  for (const option of Object.keys(options)) if (!KNOWN.has(option)) problems.push(`unknown option \`${option}\``);
  const atLeastMs = milliseconds('atLeast', atLeast, false, problems);
  const ttlMs = ttl === undefined ? config.ttlMs : milliseconds('ttl', ttl, false, problems);
  for (const [option, ms, written] of [['atLeast', atLeastMs, atLeast] as const, ['ttl', ttlMs, ttl] as const]) {
    if (ms > config.maxTtlMs) {
      problems.push(`expected \`${option}\` to be at most \`maxTtl\`, ${config.maxTtlMs} ms, got ${show(written)}`);
    }
  }
  if (typeof name !== 'string' || name === '') problems.push(`expected \`name\` to be a text, got ${show(name)}`);
  if (per !== 'fire') problems.push(`expected \`per\` to be 'fire', got ${show(per)}`);
  if (onUnavailable !== 'skip') problems.push(`expected \`onUnavailable\` to be 'skip', got ${show(onUnavailable)}`);
  let schedule: CronDuty['schedule'] = { after: () => undefined };
  try {
    schedule = new CronSchedule(pattern, timeZone);
  } catch (error) {
    problems.push(`pattern ${show(pattern)} in ${show(timeZone)}: ${(error as Error).message}`);
  }
  all.push(...problems.map((problem) => `@LockedCron on ${at}: ${problem}`));
  return { name, schedule, atLeastMs, ttlMs: Math.max(ttlMs, atLeastMs), run };
}
