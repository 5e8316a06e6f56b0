import type { DecideMode, LimitRequest, LimitVerdict, StoreVerdict } from '../stores/rate-limit.store.js';
import { askStore } from './ask-store.js';
import type { CountingPlace } from './charge.js';
import type { SwitchParts } from './rate-limit.switch-parts.js';

const LOCAL = ['memory', 'insurance'] as const;

/** Decides one request whose limits are counted at different places, as nearly as one as that can be. */
export async function askEach(
  requests: Readonly<Record<CountingPlace, readonly LimitRequest[]>>,
  mode: DecideMode,
  { stores, onChecked }: Pick<SwitchParts, 'stores' | 'onChecked'>,
) {
  const verdicts: Record<CountingPlace, (LimitVerdict | undefined)[]> = { redis: [], memory: [], insurance: [] };
  const local = LOCAL.filter((place) => requests[place].length > 0);
  let allowed = true;
  const ask = async (place: CountingPlace, how: DecideMode) => {
    const asked = askStore(stores[place], requests[place], how);
    const startedAt = performance.now();
    const answer = 'then' in asked ? await asked : asked;
    if (place === 'redis' && answer !== asked) onChecked(performance.now() - startedAt);
    verdicts[place] = inPlace(answer, requests[place]);
    allowed &&= answer.allowed;
  };
  // The subjects of one request are on different sides. The local ones are looked at first and charged last, so that
  // neither side is charged for what the other refuses; of two requests racing for the last local place one may be
  // charged in Redis for nothing, and neither passes beyond a limit.
  const alone = requests.redis.length === 0 && local.length === 1;
  if (!alone) for (const place of local) await ask(place, 'peek');
  if (requests.redis.length > 0) await ask('redis', allowed ? mode : 'peek');
  if (alone || (allowed && mode === 'consume')) for (const place of local) await ask(place, mode);
  return { allowed, verdicts };
}

/** One verdict per request, none for those that the store did not speak of. */
function inPlace({ limits, only }: StoreVerdict, requests: readonly LimitRequest[]): (LimitVerdict | undefined)[] {
  return only ? requests.map((_, i) => limits[only.indexOf(i)]) : [...limits];
}
