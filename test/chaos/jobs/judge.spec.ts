import { judge, type Evidence } from './judge.js';

const AT = 1_000_000;
const mail = (id: string, from: string, at = AT) => ({
  id: `booking-${id}@roost.example`,
  from: `${from}@roost.example`,
  at,
});
const job = (bookingId: string, starts = 1) => ({
  id: `job-of-${bookingId}`,
  bookingId,
  completed: true,
  starts,
  attempts: 1,
  stalls: 0,
  failure: undefined,
});

/** What is wrong when one booking `a` was made, promised and confirmed, but for what is given. */
function checksOf({ truth, ...given }: Partial<Omit<Evidence, 'truth'>> & { truth?: Partial<Evidence['truth']> }) {
  const { violations, duplicates } = judge({
    truth: { bookings: [{ id: 'a', at: AT }], jobs: [job('a')], waiting: [], ...truth },
    mails: [mail('a', 'worker1.1')],
    told: [{ wish: { carId: 'car-1', from: '', to: '' }, outcome: 'booked', id: 'a', jobId: 'job-of-a' }],
    incidents: [],
    store: 'redis',
    ...given,
  });
  return { checks: violations.map(({ check }) => check), duplicates };
}

describe('the judge of jobs', () => {
  it('finds nothing wrong with one e-mail for each booking, nor with the digest', () => {
    const digest = { ...mail('', 'worker1.1'), id: 'digest-2026-01-01@roost.example' };
    expect(checksOf({ mails: [mail('a', 'worker1.1'), digest] })).toEqual({ checks: [], duplicates: {} });
  });

  it('misses an e-mail, and one that nobody may have got', () => {
    expect(checksOf({ mails: [] }).checks).toEqual(['lost']);
    expect(checksOf({ mails: [mail('a', 'worker1.1'), mail('b', 'worker1.1')] }).checks).toEqual(['phantom', 'odd']);
  });

  it('misses a booking that was promised', () => {
    expect(checksOf({ truth: { bookings: [], jobs: [] }, mails: [] }).checks).toEqual(['forgotten']);
  });

  it('finds what is left to do', () => {
    const failed = { ...job('a'), completed: false, failure: 'stalled' };
    expect(checksOf({ truth: { jobs: [failed], waiting: ['x'] } }).checks).toEqual(['unfinished', 'unfinished']);
  });

  it('finds two jobs for one booking', () => {
    expect(checksOf({ truth: { jobs: [job('a'), { ...job('a'), id: 'other' }] } }).checks).toEqual(['doubled']);
  });

  describe('a second e-mail', () => {
    const twice = {
      mails: [mail('a', 'worker1.1'), mail('a', 'worker2.1', AT + 40_000)],
      truth: { jobs: [job('a', 2)] },
    };
    const broken = (target: string, from: number, until = from) => [
      { name: 'worker-kill', target, from, until } as const,
    ];

    it('needs a reason', () => {
      expect(checksOf(twice).checks).toEqual(['unexplained']);
      expect(checksOf({ ...twice, incidents: broken('worker1.1', AT + 5_000) }).checks).toEqual(['unexplained']);
      expect(checksOf({ ...twice, incidents: broken('worker1.1', AT - 5_000) }).checks).toEqual(['unexplained']);
      expect(checksOf({ ...twice, incidents: broken('worker2.1', AT + 5) }).checks).toEqual(['unexplained']);
      expect(checksOf({ ...twice, incidents: broken('postgres', AT + 5) }).checks).toEqual(['unexplained']);
    });

    it('is counted when its first sender or the store was gone before the job could be noted as done', () => {
      for (const target of ['worker1.1', 'redis']) {
        const found = checksOf({ ...twice, incidents: broken(target, AT + 5) });
        expect(found).toEqual({ checks: [], duplicates: { 'worker-kill': 1 } });
      }
    });

    it('is one of a job that was started twice', () => {
      const found = checksOf({ ...twice, truth: { jobs: [job('a')] }, incidents: broken('worker1.1', AT) });
      expect(found.checks).toEqual(['odd']);
    });
  });
});
