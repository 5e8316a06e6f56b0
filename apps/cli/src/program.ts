import { Command, CommanderError, Option } from 'commander';
import { RoostError } from '@roost/redis';
import type { Cli } from './cli.js';
import { doctor, type DoctorFlags } from './doctor/doctor.command.js';
import { keys, type KeysFlags } from './keys/keys.command.js';
import { loadtest, type LoadtestFlags } from './loadtest/loadtest.command.js';

/** Runs one command line, without the names of Node and script, and resolves to the exit code. */
export async function run(args: readonly string[], cli: Cli): Promise<number> {
  const program = new Command('roost');
  let code = 0;

  program
    .description('Looks after the Redis of a Roost service.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) =>
        text
          .trimEnd()
          .split('\n')
          .forEach((line) => cli.terminal.line(line)),
      writeErr: (text) => cli.terminal.error(withoutCredentials(text.trimEnd())),
    });

  program
    .command('doctor')
    .description('examine Redis step by step, from the URL to the eviction policy; exits 1 at the first failure')
    .option('--url <url>', 'redis:// or rediss://; REDIS_TLS and REDIS_PASSWORD_FILE apply (default: $REDIS_URL)')
    .option('--timeout <duration>', 'the longest that one step may take', '3s')
    .option('--ca <file>', 'PEM file of the authority that signed the certificate')
    .option('--json', 'print one JSON document')
    .action(async (flags: DoctorFlags) => {
      code = await doctor(flags, cli);
    });

  program
    .command('loadtest')
    .description('drive a running service at a steady rate and judge its answers; exits 1 when a threshold is missed')
    .option('--url <url>', 'where the service listens', 'http://127.0.0.1:3000')
    .option('--path <path>', 'what is asked for', '/api/quotes?carId=car-1')
    .addOption(new Option('--profile <name>', 'burst: 10x for 30s; sustained: 5x for 5m').default('burst'))
    .option('--base <rate>', 'the everyday rate: a number /s, /min or /h', '100/min')
    .option('--target <multiple>', 'times the everyday rate (default: of the profile)')
    .option('--duration <duration>', 'how long, at most 1h (default: of the profile)')
    .option('--connections <count>', 'how many at once', '16')
    .option('--keys <count>', 'how many API keys (pro-loadtest-N) share the requests', '50')
    .option('--timeout <duration>', 'a later answer counts as none', '5s')
    .option('--max-p95 <duration>', 'what 95 of 100 answers have to stay below', '120ms')
    .addOption(
      new Option('--expect-backend <name>', 'which backend has to decide')
        .choices(['redis', 'memory', 'any'])
        .default('redis'),
    )
    .option('--admin-token <token>', 'also ask /admin/state for the backend (default: $ROOST_ADMIN_TOKEN)')
    .option('--i-own-this-target', 'allow a target that is not on this machine')
    .action(async (flags: LoadtestFlags) => {
      code = await loadtest(flags, cli);
    });

  program
    .command('keys')
    .description('list every kind of key with its lifetime, size bound and estimated memory')
    .option('--count <count>', 'how many keys of each kind to estimate for', '10000')
    .option('--json', 'print one JSON document')
    .action((flags: KeysFlags) => {
      code = keys(flags, cli);
    });

  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    cli.terminal.error(
      withoutCredentials(error instanceof RoostError ? error.message : String((error as Error).stack)),
    );
    return 1;
  }
}

/** Mistyped options are repeated by the parser, and what was mistyped may hold a URL. */
function withoutCredentials(text: string): string {
  return text.replace(/:\/\/.*@/g, '://***@');
}
