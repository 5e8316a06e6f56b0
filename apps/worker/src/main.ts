/**
 * The worker: the service in another role. It is built from the same modules, so that there is one configuration, one
 * image, and no second list of who handles which jobs; see docs/decisions/0023-the-worker-is-the-service.md.
 */
process.env['ROLE'] = 'worker';
process.env['PORT'] ||= '3001'; // the probes; the service itself has 3000 on the same machine
await import(new URL('../../../dist/main.js', import.meta.url).href);

export {};
