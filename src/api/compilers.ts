import type { FastifyServerOptions } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;

/**
 * Requests are judged by their zod schemas; answers, whose types the compiler has checked, are written as they are: a status must be
 * readable also when something in it is unforeseen. Given as factories, they keep fastify from loading ajv (10 MB).
 */
export const compilers: Compilers = {
  // What fastify passes for each route is a zod schema: routes.ts has no other.
  buildValidator: (() => validatorCompiler) as unknown as NonNullable<Compilers['buildValidator']>,
  buildSerializer: () => () => (data: unknown) => JSON.stringify(data),
};
