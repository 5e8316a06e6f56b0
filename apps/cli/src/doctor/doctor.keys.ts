import { defineKey } from '@roost/redis';

/** What `roost doctor` writes to see whether it may. */
export const doctorKey = defineKey('doctor', { ttl: '1s', maxBytes: 1 });
