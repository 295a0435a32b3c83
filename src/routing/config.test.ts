import { describe, expect, it } from 'vitest';
import { routerSchema } from './config.ts';

const haproxy = { socket: '/run/haproxy.sock', write: 'orders' };
const pgbouncer = { console: '127.0.0.1:6432', file: '/etc/pgbouncer/orders.ini', write: 'orders' };

describe('routerSchema', () => {
  it.each([{ write: '127.0.0.1:6432' }, { read: '127.0.0.1:6433' }, { haproxy, lagMax: '1MiB' }, { pgbouncer, hold: { for: '5s' } }])(
    'takes %j',
    (router) => {
      expect(routerSchema.safeParse(router).error).toBeUndefined();
    },
  );

  it.each([{}, { haproxy, pgbouncer }, { write: '127.0.0.1:6432', haproxy }, { read: '127.0.0.1:6432', pgbouncer }])(
    'refuses %j',
    (router) => {
      expect(routerSchema.safeParse(router).error?.issues[0]?.message).toMatch(/exactly one of the three/);
    },
  );

  it.each(['orders; shutdown sessions server x', 'a/b', 'a b', '', 'a\nb'])(
    'refuses the backend %j, which HAProxy would read as more',
    (write) => {
      expect(routerSchema.safeParse({ haproxy: { ...haproxy, write } }).success).toBe(false);
    },
  );
});
