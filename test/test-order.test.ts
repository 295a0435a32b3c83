import { globSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { orderScenarios } from '../tools/test-order.ts';
import { root } from './architecture/modules.ts';

describe('the order of the scenarios', () => {
  const files = globSync('test/scenario/**/*.test.ts', { cwd: root });

  test('has each of them once, the longest first', () => {
    const ordered = orderScenarios(files);
    expect(ordered.toSorted()).toEqual(files.toSorted());
    expect(ordered.slice(0, 3).toSorted()).toEqual([
      'test/scenario/coordination-zookeeper.test.ts',
      'test/scenario/demo.test.ts',
      'test/scenario/hosts-network.test.ts',
    ]);
  });

  test('begins one that waits for two that compute, as long as there are both', () => {
    const names = ['/a', '/coordination-1', '/b', '/lock-2', '/c', '/d', '/coordination-3', '/e', '/coordination-4'];
    expect(orderScenarios(names)).toEqual([
      '/a',
      '/b',
      '/coordination-1',
      '/c',
      '/d',
      '/lock-2',
      '/e',
      '/coordination-3',
      '/coordination-4',
    ]);
  });
});
