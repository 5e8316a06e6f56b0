import type { HealthReport } from '@roost/redis';

/** Details that say how a part is, not where it runs. Whatever else a contributor reports stays inside. */
const PUBLIC = new Set([
  'assurance',
  'backend',
  'coherent',
  'current',
  'error',
  'failed',
  'forced',
  'mode',
  'oldestWaitingMs',
  'partial',
  'pending',
  'read',
  'reason',
  'scheduleDriftMs',
  'since',
  'stalled',
  'tracking',
  'workers',
  'write',
]);
const WORD = /^\w[\w+]{0,39}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/**
 * What of a report anyone may see: known details whose value is a word, an instant, a number or a flag, so that a
 * message, host name, URL or credential that slips into a report does not reach the route.
 */
export function publicReport(report: HealthReport): HealthReport {
  const details = Object.entries(report).filter(([name, value]) => PUBLIC.has(name) && harmless(value));
  return { ...Object.fromEntries(details), status: report.status };
}

function harmless(value: unknown): boolean {
  if (typeof value === 'string') return WORD.test(value) || INSTANT.test(value);
  return value === null || typeof value === 'number' || typeof value === 'boolean';
}
