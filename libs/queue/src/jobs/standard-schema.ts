/** What is used of a schema that follows https://standardschema.dev: zod, valibot, arktype and others do. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Whether it follows Standard Schema; that of arktype is a function. */
export function isSchema(value: unknown): value is StandardSchema {
  return typeof (value as StandardSchema | null | undefined)?.['~standard']?.validate === 'function';
}

/** The value as the schema wants it, or what is wrong with it. */
export async function check<Output>(
  schema: StandardSchema<Output>,
  value: unknown,
): Promise<{ value: Output } | { problems: readonly string[] }> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) return { value: result.value };
  return { problems: result.issues.map(({ path, message }) => `${pathOf(path)}: ${message}`) };
}

function pathOf(path: SchemaIssue['path'] = []): string {
  return ['data', ...path.map((step) => String(typeof step === 'object' ? step.key : step))].join('.');
}
