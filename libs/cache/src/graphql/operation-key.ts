import {
  Kind,
  print,
  visit,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  type OperationDefinitionNode,
} from 'graphql';
import { hash } from 'node:crypto';
import { canonicalJson } from '../values/canonical-json.js';

type Operation = Pick<GraphQLResolveInfo, 'operation' | 'fragments' | 'variableValues' | 'path'>;

/** Names what a root field of an operation stands for, without its scope. */
export class OperationKeys {
  /** Servers keep the documents that they have parsed, so one operation comes again and again. */
  readonly #hashes = new WeakMap<OperationDefinitionNode, string>();

  /** `gql:<operation>:<variables>:<field>`; undefined when a variable cannot be written as text. */
  of({ operation, fragments, variableValues, path }: Operation): string | undefined {
    const variables = canonicalJson(variableValues);
    if (variables === undefined) return undefined;
    return `gql:${this.#hashOf(operation, fragments)}:${sha256(variables)}:${path.key}`;
  }

  #hashOf(operation: OperationDefinitionNode, fragments: Operation['fragments']): string {
    let known = this.#hashes.get(operation);
    if (known === undefined) this.#hashes.set(operation, (known = sha256(normalised(operation, fragments))));
    return known;
  }
}

/** The text without comments and needless space, and of the fragments only those that it uses, by name. */
function normalised(operation: OperationDefinitionNode, fragments: Operation['fragments']): string {
  const used = new Map<string, FragmentDefinitionNode>();
  const follow = (node: OperationDefinitionNode | FragmentDefinitionNode) =>
    visit(node, {
      [Kind.FRAGMENT_SPREAD]({ name }) {
        const fragment = fragments[name.value];
        if (fragment === undefined || used.has(name.value)) return;
        used.set(name.value, fragment);
        follow(fragment);
      },
    });
  follow(operation);
  const byName = [...used].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, fragment]) => fragment);
  return [operation, ...byName].map((node) => print(node)).join('\n');
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}
