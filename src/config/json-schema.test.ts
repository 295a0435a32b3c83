import { expect, test } from 'vitest';
import { configJsonSchema } from './json-schema.ts';
import { configSchema } from './schema.ts';
import { withDefaults } from './schema-walk.ts';
import { defaultPolicy } from '../failover/policy.ts';

test('the JSON Schema describes the file as it is written, and closes every object', () => {
  const text = JSON.stringify(configJsonSchema());
  expect(text).not.toContain('"kind"');
  for (const object of objects(configJsonSchema())) expect(object).toHaveProperty('additionalProperties');
  expect(configJsonSchema()).toMatchObject({ properties: { coordination: { properties: { ttl: { type: 'string', default: '10s' } } } } });
});

test('defaults are written out in the notation of the file', () => {
  const filled = withDefaults(configSchema, {
    cluster: 'shop',
    node: { name: 'db1', listen: '127.0.0.1:7400' },
    coordination: { embedded: 'store' },
    services: { web: {} },
  });
  expect(filled).toMatchObject({
    node: { name: 'db1', listen: '127.0.0.1:7400', state: '/var/lib/holdfast/.state' },
    coordination: { ttl: '10s' },
    peers: [],
    services: { web: { tier: 1, failover: { agentGrace: '3s', phi: 8 } } },
  });
});

test("failover's defaults are those of its policy", () => {
  const { failover } = configSchema.shape.services.parse({ web: { files: { path: '/srv' } } })['web']!;
  expect(failover).toMatchObject({
    minimum: defaultPolicy.minimum,
    heartbeat: defaultPolicy.heartbeatMs,
    phi: defaultPolicy.phi,
    agentGrace: defaultPolicy.agentGraceMs,
    voterLoss: defaultPolicy.voterLossMs,
    voterLagMax: defaultPolicy.voterLagBytesMax,
    handOver: defaultPolicy.handOverMs,
    unresponsive: defaultPolicy.unresponsiveMs,
    bootstrapWait: defaultPolicy.bootstrapWaitMs,
  });
});

function* objects(schema: unknown): Iterable<object> {
  if (typeof schema !== 'object' || schema === null) return;
  if ('type' in schema && schema.type === 'object') yield schema;
  for (const member of Object.values(schema)) yield* objects(member);
}
