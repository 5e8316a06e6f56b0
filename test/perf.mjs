import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheModule, CacheService } from '@roost/cache';
import { LRUCache } from '../apps/bench/node_modules/lru-cache/dist/esm/index.js';
import { Redis } from 'ioredis';
const server = await RedisServer.start();
const open = async (o) => {
  const app = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url: server.url }), CacheModule.forRoot(o)] }).compile();
  await app.init();
  const cache = app.get(CacheService);
  for (let i=0;i<100 && !cache.stats().near.coherent;i++) await sleep(20);
  return { app, cache };
};
const value = { id: 1, name: 'x'.repeat(60), tags: ['a','b','c'], nested: { a: 1, b: true, c: null }, more: 'y'.repeat(50) };
console.log('bytes', JSON.stringify(value).length);
async function loop(name, n, conc, fn) {
  let i = 0;
  const run = async (count) => { i = 0; await Promise.all(Array.from({length: conc}, async () => { while (i < count) await fn(i++); })); };
  await run(n/5|0);
  const t0 = performance.now(), c0 = process.cpuUsage();
  await run(n);
  const t = performance.now()-t0, c = process.cpuUsage(c0);
  console.log(name.padEnd(34), Math.round(n/t*1000).toLocaleString().padStart(12), 'ops/s', ((c.user+c.system)/n).toFixed(2), 'us cpu');
}
const which = process.argv[2] ?? 'all';
const a = await open({});
const b = await open({ near: false, namespace: 'far' });
const lru = new LRUCache({ max: 1000 });
lru.set('k', value);
const keys = Array.from({length: 1000}, (_, i) => `key:${i}`);
await a.cache.set('k', value); await a.cache.get('k');
for (const k of keys) await b.cache.set(k, value);
const raw = new Redis(server.port);
await raw.set('raw', JSON.stringify(value));
if (which==='all'||which==='l1') {
await loop('lru-cache', 2e6, 1, async () => lru.get('k'));
await loop('L1 get', 2e6, 1, () => a.cache.get('k'));
await loop('L1 get c64', 2e6, 64, () => a.cache.get('k'));
await loop('L1 getOrSet', 1e6, 1, () => a.cache.getOrSet('k', () => 1));
}
if (which==='all'||which==='l2') {
await loop('raw GET c64', 1e5, 64, async () => JSON.parse(await raw.get('raw')));
await loop('L2 get c64', 2e5, 64, (i) => b.cache.get(keys[i%1000]));
await loop('L2 get c1', 1e4, 1, (i) => b.cache.get(keys[i%1000]));
await loop('raw GET c1', 1e4, 1, async () => JSON.parse(await raw.get('raw')));
}
if (which==='all'||which==='set') {
await loop('raw miss+set c64', 5e4, 64, async (i) => { await raw.get('no'+i); await raw.set('no'+i, JSON.stringify(value), 'PX', 60000); });
await loop('miss+set c64', 5e4, 64, async (i) => { await b.cache.get('n'+i); await b.cache.set('n'+i, value); });
await server.command('CONFIG','RESETSTAT');
await loop('cold getOrSet c64', 2e4, 64, async (i) => b.cache.getOrSet('c'+i+Math.random(), () => value));
console.log(Object.fromEntries(Object.entries(await server.commandStats()).map(([k,v])=>[k,v.calls])));
}
if (which==='all'||which==='many') {
await loop('raw MGET 100', 2e3, 1, async () => (await raw.mget(keys.slice(0,100).map(()=> 'raw'))).map(JSON.parse));
await loop('getMany 100', 2e3, 1, () => b.cache.getMany(keys.slice(0,100)));
}
raw.disconnect(); await a.app.close(); await b.app.close(); await server.stop();
