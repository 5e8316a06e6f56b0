import { GraphQLError, type ValidationRule } from 'graphql';

/** Refuses documents of more fields than any honest query has: aliases make one small request ask for thousands of answers. */
export function maxFields(limit: number): ValidationRule {
  return (context) => {
    let fields = 0;
    return {
      Field(node) {
        fields += 1;
        if (fields === limit + 1) {
          context.reportError(new GraphQLError(`The query has more than ${limit} fields.`, { nodes: node }));
        }
      },
    };
  };
}
