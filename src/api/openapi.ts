import fastify from 'fastify';
import { apiRoutes, type RouteContext } from './routes.ts';
import { healthRoutes, type HealthContext } from './health-routes.ts';
import { compilers } from './compilers.ts';

/**
 * The OpenAPI 3.1 document, as JSON. Made on demand by a throw-away copy of the routes: what makes it would cost an agent at rest some
 * megabytes for something that is asked for once in a while.
 */
export async function writeOpenApi(api: RouteContext, health: HealthContext): Promise<string> {
  const [{ default: swagger }, { jsonSchemaTransform }] = await Promise.all([
    import('@fastify/swagger'),
    import('fastify-type-provider-zod'),
  ]);
  const app = fastify({ schemaController: { compilersFactory: compilers } });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast agent',
        version: health.version,
        description: 'What each agent of a Holdfast cluster offers over HTTPS; health checks and metrics over HTTP too.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of security.tokens.' } } },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(apiRoutes, { ...api, prefix: '/api/v1' });
  await app.register(healthRoutes, health);
  await app.ready();
  const document = JSON.stringify(app.swagger());
  await app.close();
  return document;
}
