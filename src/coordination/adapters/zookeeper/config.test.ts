import { describe, expect, it } from 'vitest';
import { zooKeeperConfigSchema } from './config.ts';

const servers = ['zk1:2181', '[fd00::1]:2181'];

describe('zookeeper configuration', () => {
  it('needs no more than servers', () => {
    expect(zooKeeperConfigSchema.parse({ servers })).toEqual({
      servers: [
        { host: 'zk1', port: 2181 },
        { host: 'fd00::1', port: 2181 },
      ],
      prefix: '/holdfast',
    });
  });

  it('takes all there is, and keeps the password hidden', () => {
    const config = zooKeeperConfigSchema.parse({
      servers,
      prefix: '/teams/db.1/holdfast',
      tls: { ca: '/a/ca.pem', cert: '/a/cert.pem', key: '/a/key.pem' },
      auth: { user: 'holdfast', password: '${ZK_PASSWORD}' },
    });
    expect(JSON.stringify(config)).toContain('${ZK_PASSWORD}');
  });

  it.each<readonly [string, unknown]>([
    ['no server', { servers: [] }],
    ['a server without port', { servers: ['zk1'] }],
    ['a certificate without key', { servers, tls: { cert: '/c.pem' } }],
    ['a password that stands there', { servers, auth: { user: 'a', password: 'secret' } }],
    ['a user name with a colon', { servers, auth: { user: 'a:b', password: 'file:x' } }],
    ['an unknown key', { servers, chroot: '/x' }],
    ...['holdfast', '/', '/a/', '/a//b', '/a/../b', '/./a', '/a b', '/zookeeper', '/zookeeper/x', `/${'x'.repeat(200)}`].map(
      (prefix) => [`the prefix ${prefix.slice(0, 20)}`, { servers, prefix }] as const,
    ),
  ])('refuses %s', (_, config) => {
    expect(zooKeeperConfigSchema.safeParse(config).success).toBe(false);
  });

  it('takes a prefix that only begins like a reserved one', () => {
    expect(zooKeeperConfigSchema.parse({ servers, prefix: '/zookeepers' }).prefix).toBe('/zookeepers');
  });
});
