/** One process with some nodes, told what to do by the run that has forked it. */
import 'reflect-metadata';
import type { Answer, Order } from '../messages.js';
import { Node } from './node.js';

const tell = (answer: Answer) => void process.send!(answer);
process.on('disconnect', () => process.exit(0)); // the run has ended, however it did

const waiting = new Map<number, (value: number) => void>();
let loads = 0;
function origin(key: string): Promise<number> {
  return new Promise((resolve) => {
    waiting.set(++loads, resolve);
    tell({ load: loads, key });
  });
}

const nodes = await Promise.all(process.argv.slice(2).map((url) => Node.start(url, origin)));

process.on('message', (order: Order) => {
  if ('loaded' in order) {
    waiting.get(order.loaded)?.(order.value);
    waiting.delete(order.loaded);
  } else void nodes[order.node]!.work(order).then(tell);
});
process.once('SIGTERM', () => void Promise.all(nodes.map((node) => node.stop())).then(() => process.exit(0)));
tell({ ready: true });
