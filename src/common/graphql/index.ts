export { GraphqlDriver } from './graphql.driver.js';
export { graphqlOptions } from './graphql.options.js';
