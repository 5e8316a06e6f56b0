/** The version that runs, as in package.json; a spec keeps the two in step. */
export const VERSION = '0.1.0';
