/**
 * The long form of test/chaos/booking-rounds.spec.ts: `npm run chaos:bookings -- --rounds 1000 --minutes 60 --seed 7`.
 * It fails on any fault, and when the rounds were not done in the minutes.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
  },
});
const wrong = Object.entries(values).filter(([, value]) => !/^[1-9]\d*$/.test(value));
if (wrong.length > 0) {
  process.stderr.write(
    `Expected whole numbers above 0, got ${wrong.map(([name, value]) => `--${name} ${value}`).join(' ')}\n`,
  );
  process.exit(2);
}
const { rounds: BOOKING_ROUNDS, minutes: BOOKING_MINUTES, seed: BOOKING_SEED } = values;
const { status } = spawnSync('npx', ['jest', 'test/chaos/booking-rounds'], {
  stdio: 'inherit',
  env: { ...process.env, BOOKING_ROUNDS, BOOKING_MINUTES, BOOKING_SEED },
});
process.exit(status ?? 1);
