import type { Bound, Suite } from './suite.js';
import type { Target } from './targets.js';

const roost = 'Roost PresenceService';
const [naive, pipelined, gets] = ['SET EX', 'SET EX, pipelined', 'GETs in a pipeline'];
const online = '10 000 users, a heartbeat each 5 s';
const asked = [1, 8].map((concurrency) => {
  return { title: `who is in a room of 1 000, ${concurrency} at once`, work: 'room', concurrency };
});

/** What presence has to reach against others in the same rounds. */
export const presenceTargets: readonly Target[] = asked.map(({ title: scenario }) => {
  return { title: `${scenario}, against GETs`, scenario, contestant: roost, rivals: [gets], atLeast: 1.7 };
});

/** What it has to keep to, as percentages of one `SET … EX` for each heartbeat in the same rounds. */
export const presenceBounds: readonly Bound[] = [
  { figure: 'commandsPercent', limit: 0.5, title: 'commands, % of `SET EX`' },
  { figure: 'serverCpuPercent', limit: 1, title: 'server CPU, % of `SET EX`' },
].map((each) => ({ ...each, scenario: online, contestant: roost, bound: 'at most' }));

/** Who is in a room, and what it takes that users are online. */
export const presence: Suite = {
  name: 'presence',
  about:
    'Who is in a room of 1 000: one question per operation. The others ask for a key of each member, and have to know their names from elsewhere.',
  comparisons: [{ contestants: [roost, gets, 'MGET'], baseline: gets, scenarios: asked }],
  heartbeats: {
    about:
      'Users online in two processes, those of Roost in 100 rooms; each gives a sign of life every 5 s. Naive presence sets a key for each, one by one or those of 100 ms in a pipeline. Those of Roost are pings of sockets, which end in the process: it tells Redis once for all of them, every sixth of a lease of 10 s, and here its clients do nothing, so that client CPU lacks the pings. Besides, a process renews its keys every 20 minutes, four for each of its rooms: 0.8 commands a second here, which a slice does not show. Bytes, server CPU and the percentages are without what an idle server and the meter take in the same round.',
    contestants: [roost, naive, pipelined, 'an idle server'],
    baseline: naive,
    idle: 'an idle server',
    scenarios: [{ title: online, users: 10_000, everyMs: 5_000, processes: 2 }],
  },
  promises: {
    about: 'What presence has to reach, and keep to, in the same rounds.',
    ratios: presenceTargets,
    bounds: presenceBounds,
  },
};
