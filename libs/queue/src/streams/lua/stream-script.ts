import { RedisReplyError, type ByName, type Commands, type Script, type ScriptArg } from '@roost/redis';

/**
 * Runs a script on streams, whose names are the producers' and get no prefix. In a cluster all of them share one slot:
 * `{booking_emails}` and `{booking_emails}:dead`.
 */
export async function runOnStreams<Keys extends readonly string[], Args extends readonly string[], Reply>(
  commands: Commands,
  script: Script<Keys, Args, Reply>,
  streams: { readonly [Name in keyof Keys]: string },
  args: ByName<Args, ScriptArg>,
): Promise<Reply> {
  const rest = [streams.length, ...streams, ...script.argsOf(args)];
  try {
    return script.reply(await commands.write('evalsha', script.sha1, ...rest));
  } catch (error) {
    if (!(error instanceof RedisReplyError && error.message.startsWith('NOSCRIPT'))) throw error;
    return script.reply(await commands.write('eval', script.lua, ...rest));
  }
}
