import { readFileSync } from 'node:fs';
import { mutants } from './mutants.js';

/** Whether they are noticed is found out by `npm run chaos:locks:mutants`, which takes long; here, that they can be made. */
describe.each(mutants)('$name: $what', ({ edits }) => {
  it.each(edits)('finds its place in $file once', ({ file, find }) => {
    expect(readFileSync(`libs/lock/dist/${file}`, 'utf8').split(find)).toHaveLength(2);
  });
});
