// For tests of applications: jobs in memory whose clock can be moved.
export { FakeQueueClock, type QueueClock } from './memory/queue-clock.js';
