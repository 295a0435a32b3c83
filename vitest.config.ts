import { defineConfig } from 'vitest/config';
import { TestOrder } from './tools/test-order.ts';

// Real servers, processes and clocks on a loaded machine may miss a bound once. A second try in CI alone, reported as such, tells that from a
// fault; on a developer's machine every failure shows. What is simulated is deterministic and fails twice.
const retry = process.env['CI'] === undefined ? 0 : 1;
/** Of what is waited for, where a test does not say: a second, the default, is little on a loaded machine. */
const poll = { timeout: 20_000 };

// Unit tests share workers. The scenario tests start real servers, so each file gets its own process; three at a time on two processors: two at a
// time used just over half of them (27 of 48 minutes), as most of the time is waiting.
export default defineConfig({
  test: {
    sequence: { sequencer: TestOrder },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'test/*.test.ts',
            'test/simulation/**/*.test.ts',
            'test/history/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          pool: 'threads',
          // Two for each core of a small machine: much of their time is waiting for servers and child processes.
          maxWorkers: 4,
          isolate: false,
          testTimeout: 30_000,
          retry,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'scenario',
          include: ['test/scenario/**/*.test.ts'],
          globalSetup: ['test/scenario/postgres/templates.ts'],
          pool: 'forks',
          maxWorkers: 3,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          retry,
          expect: { poll },
        },
      },
    ],
  },
});
