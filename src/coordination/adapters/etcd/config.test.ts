import { expect, it } from 'vitest';
import { configSchema } from './config.ts';

const endpoints = ['https://10.0.0.11:2379', 'https://10.0.0.12:2379'];

it('takes the least, and fills in the rest', () => {
  expect(configSchema.parse({ endpoints: ['http://localhost:2379'] })).toEqual({
    endpoints: ['http://localhost:2379'],
    prefix: '/holdfast',
    requestTimeout: 5_000,
  });
});

it('takes everything, without telling the password', () => {
  const config = configSchema.parse({
    endpoints: ['https://[fd00::1]:2379'],
    tls: { ca: 'ca.pem', cert: 'node.pem', key: 'node.key' },
    username: 'holdfast',
    password: 'file:etcd.secret',
    prefix: '/team-a/holdfast',
    requestTimeout: '1500ms',
  });
  expect(config.requestTimeout).toBe(1_500);
  expect(JSON.stringify(config)).toContain('file:etcd.secret');
});

it.each([
  ['no endpoint', { endpoints: [] }],
  ['an endpoint without a port', { endpoints: ['https://10.0.0.11'] }],
  ['an endpoint with a path', { endpoints: ['https://10.0.0.11:2379/v3'] }],
  ['an endpoint with a user', { endpoints: ['https://user:word@10.0.0.11:2379'] }],
  ['another scheme', { endpoints: ['etcd://10.0.0.11:2379'] }],
  ['an endpoint twice', { endpoints: [endpoints[0], endpoints[0]] }],
  ['http and https mixed', { endpoints: [endpoints[0], 'http://10.0.0.12:2379'] }],
  ['tls without https', { endpoints: ['http://10.0.0.11:2379'], tls: { ca: 'ca.pem' } }],
  ['a certificate without its key', { endpoints, tls: { cert: 'node.pem' } }],
  ['a password in the open', { endpoints, username: 'u', password: 'secret' }],
  ['a user without a password', { endpoints, username: 'u' }],
  ['a prefix without a slash', { endpoints, prefix: 'holdfast' }],
  ['a prefix that ends in a slash', { endpoints, prefix: '/holdfast/' }],
  ['a prefix that climbs', { endpoints, prefix: '/holdfast/../other' }],
  ['a prefix with what would mix queues', { endpoints, prefix: '/hold:fast' }],
  ['a time limit without a unit', { endpoints, requestTimeout: '5' }],
  ['no time at all', { endpoints, requestTimeout: '1ms' }],
  ['a misspelt key', { endpoints, endpoint: 'x' }],
])('refuses %s', (_, config) => {
  expect(configSchema.safeParse(config).success).toBe(false);
});
