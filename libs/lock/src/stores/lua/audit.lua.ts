import { defineScript } from '@roost/redis';

/** What Redis says of itself to a script, as scripts of locks have to ask it; empty when this user may not ask. */
export const auditRedisSelf = defineScript('lock.audit', {
  keys: [],
  args: [],
  reply: (raw: string) => raw,
  readOnly: true,
  lua: `
local told = redis.pcall('INFO')
return type(told) == 'string' and told or ''`,
});
