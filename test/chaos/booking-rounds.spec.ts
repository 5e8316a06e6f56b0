import { faultsOf, playRound, RedisKiller, type Answer } from './booking-rounds.js';
import { Fleet } from './fleet.js';

// `npm run chaos:bookings` sets these for a long run.
const ROUNDS = Number(process.env['BOOKING_ROUNDS'] ?? 6);
const MINUTES = Number(process.env['BOOKING_MINUTES'] ?? 2);
const SEED = Number(process.env['BOOKING_SEED'] ?? Date.now() % 100_000);
/** Rounds at once, each about another car. */
const LANES = 3;

describe('a hundred at once want one car, on days that overlap', () => {
  let fleet: Fleet;
  beforeAll(async () => void (fleet = await Fleet.start({ instances: 2, postgres: {} })), 60_000);
  afterAll(() => fleet.stop());

  it(
    `${ROUNDS} rounds over two instances, Redis killed and restarted meanwhile (seed ${SEED}): one row each, no 5xx`,
    async () => {
      const killer = new RedisKiller(fleet, SEED);
      const start = performance.now();
      const minutes = () => (performance.now() - start) / 60_000;
      const faults: string[] = [];
      const answers: Answer[] = [];
      let begun = 0;
      const lane = async () => {
        while ((begun < ROUNDS || killer.kills < 2) && minutes() < MINUTES) {
          const played = await playRound(fleet, begun++);
          faults.push(...faultsOf(played));
          answers.push(...played.answers);
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      await killer.stop();
      const played = `${begun} rounds in ${minutes().toFixed(1)} min, Redis killed ${killer.kills} times`;
      process.stdout.write(`${played}: ${summary(answers)}\n`);
      expect(faults).toEqual([]);
      expect(begun).toBeGreaterThanOrEqual(ROUNDS);
    },
    30_000 + MINUTES * 60_000,
  );
});

function summary(answers: readonly Answer[]): string {
  const counts = new Map<string, number>();
  for (const { status, code = '' } of answers) {
    const answer = `${status} ${code}`.trim();
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return [...counts].map(([answer, count]) => `${count} × ${answer}`).join(', ');
}
