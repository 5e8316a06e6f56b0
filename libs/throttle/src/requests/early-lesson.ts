import type { Decision } from '../decision.js';
import { isHeld, type Limit } from '../policies/limit.js';
import type { Charge } from '../switching/charge.js';

/** The charges whose limits object, when these go on to object until the time they told, whatever the next request is. */
export function steadyObjections(decision: Decision, charges: readonly Charge[]): readonly Charge[] {
  const objecting = charges.filter(({ limit }) => decision.violated.includes(limit.name));
  const blocked = new Set(decision.policies.filter((each) => each.blocked).map(({ policy }) => policy));
  const steady = ({ limit }: Charge) =>
    // A tier is known only to `tierOf`, and an unlimited one does not even know of blocks.
    typeof limit.quota === 'object' && (blocked.has(limit.name) || isSteady(limit));
  return objecting.every(steady) ? objecting : [];
}

/** What is held may be given back; a refusal that leads to a block has to be counted. */
function isSteady(limit: Limit): boolean {
  const { lease = false } = limit as Limit & { readonly lease?: boolean };
  return (
    typeof limit.cost === 'number' && !isHeld(limit) && limit.block === undefined && limit.mode === 'enforce' && !lease
  );
}

/** What all of these limits count, where a server can tell it without Nest. */
export function subjectOf(objecting: readonly Charge[], apiKey: string | undefined): 'ip' | 'apiKey' | undefined {
  if (objecting.length === 0) return undefined;
  if (objecting.every(({ limit }) => limit.key === 'ip')) return 'ip';
  const byApiKey = objecting.every(({ limit }) => limit.key === 'apiKey');
  return byApiKey && apiKey !== undefined && apiKey !== '' ? 'apiKey' : undefined;
}
