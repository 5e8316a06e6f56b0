import { notesOf, variables } from './variables.js';

/** The text of `.env.example`: each variable with its description, set to its default or commented out. */
export function envExample(): string {
  const blocks = Object.entries(variables.shape).map(([name, schema]) => {
    const { description, example = '' } = notesOf(schema);
    const { success, data } = schema.safeParse(undefined);
    const value = success && data !== undefined ? `${name}=${String(data)}` : `# ${name}=${example}`;
    return `# ${description}\n${value}\n`;
  });
  return ['# Written by `npm run env:example` from src/common/config/variables.ts: change it there.\n', ...blocks].join(
    '\n',
  );
}
