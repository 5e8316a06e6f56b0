import { readFileSync } from 'node:fs';
import { HASTE } from '../haste.js';
import { mutants } from './mutants.js';

/** Whether they are noticed is found out by `npm run chaos:presence:mutants`, which takes long; here, that they can be made. */
describe.each([...mutants, { name: 'haste', what: 'shorter waits', edits: HASTE }])('$name: $what', ({ edits }) => {
  it.each(edits)('finds its place in $file once', ({ file, find }) => {
    expect(readFileSync(`libs/presence/dist/${file}`, 'utf8').split(find)).toHaveLength(2);
  });
});
