import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../core/errors.ts';
import type { AgentControl } from './control.ts';
import { type CheckQuery, defaultMember, describeMember, memberChecks, type MemberCheck, passes } from './health.ts';

export interface HealthContext {
  readonly control: AgentControl;
  readonly version: string;
}

const methods = ['GET', 'HEAD', 'OPTIONS'];
const open = { config: { role: 'open' } } as const;

/** What answers without a token: checks of members and of the agent itself. */
export const healthRoutes: FastifyPluginAsync<HealthContext> = async (app, context) => {
  for (const check of memberChecks) {
    const handler = (request: FastifyRequest, reply: FastifyReply): FastifyReply => answer(check, context, request, reply);
    const schema = { summary: summaryOf(check), tags: ['health'] };
    app.route({ method: methods, url: `/${check}`, ...open, schema, exposeHeadRoute: false, handler });
    app.route({
      method: methods,
      url: check === '' ? '/:service' : `/:service/${check}`,
      ...open,
      schema,
      exposeHeadRoute: false,
      handler,
    });
  }
  app.route({
    method: methods,
    url: '/liveness',
    ...open,
    schema: { summary: '200 while the agent itself works, whatever its services do', tags: ['health'] },
    exposeHeadRoute: false,
    handler: (request, reply) => {
      const live = context.control.isLive();
      return send(request, reply, live, { live, node: context.control.node });
    },
  });
};

/**
 * All paths that `healthRoutes` and `/metrics` serve for these services. Listeners answer them without TLS too, since load balancers
 * and scrapers ask without.
 */
export function plainPathsFor(services: Iterable<string>): string[] {
  const checks = memberChecks.filter((check) => check !== '');
  const ofServices = [...services].flatMap((service) => [`/${service}`, ...checks.map((check) => `/${service}/${check}`)]);
  return ['/', ...checks.map((check) => `/${check}`), '/liveness', '/metrics', ...ofServices];
}

function answer(check: MemberCheck, { control, version }: HealthContext, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const members = control.localMembers();
  const { service } = request.params as { service?: string };
  const member = service === undefined ? defaultMember(members) : members.find((each) => each.service === service);
  if (member === undefined) {
    if (service !== undefined)
      throw new HoldfastError('SERVICE_UNKNOWN', `this node has no member of a service '${service}'`, {
        hint: `It has: ${members.map((each) => each.service).join(', ') || 'none'}.`,
      });
    return send(request, reply, false, { state: 'unknown', role: 'none', detail: 'this node has no member of any service' });
  }
  return send(
    request,
    reply,
    passes(check, member, request.query as CheckQuery),
    describeMember(member, { cluster: control.cluster, node: control.node, version }),
  );
}

function send(request: FastifyRequest, reply: FastifyReply, isWell: boolean, body: object): FastifyReply {
  reply.code(isWell ? 200 : 503);
  return request.method === 'GET' ? reply.send(body) : reply.send();
}

function summaryOf(check: MemberCheck): string {
  return check === 'patroni'
    ? 'State of the member on this node'
    : `200 when the member on this node passes the check '${check || 'primary'}', else 503, as Patroni answers it`;
}
