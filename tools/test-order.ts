import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** These take minutes: begun last, each would hold up the end alone. */
const longest = ['hosts-network', 'coordination-zookeeper', 'coordination-etcd', 'demo', 'failover', 'postgres-fence'];

/** Scenarios of stores and locks mostly wait, for sessions to expire and servers to come back; the others mostly compute. */
const waits = /\/(?:coordination|lock)-[^/]*$/;

/** To as many that compute, one that waits is begun. */
const computingToOneWaiting = 2;

/**
 * The order in which scenarios are begun: the longest first, and at any time some that compute beside one that waits, so that as many as there are
 * workers find the processors free.
 * @param files paths, in any order that is to be kept otherwise
 */
export function orderScenarios(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const index = longest.findIndex((name) => file.endsWith(`/${name}.test.ts`));
    return index < 0 ? longest.length : index;
  };
  const sorted = files.toSorted((a, b) => rank(a) - rank(b));
  const waiting = sorted.filter((file) => waits.test(file));
  const computing = sorted.filter((file) => !waits.test(file));
  const ordered: string[] = [];
  while (waiting.length + computing.length > 0) {
    ordered.push(...computing.splice(0, computingToOneWaiting), ...waiting.splice(0, 1));
  }
  return ordered;
}

/** Scenarios in this order; all else as vitest has it. */
export class TestOrder extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- vitest's own, of that name
    const sorted = await super.sort(specifications);
    const scenarios = sorted.filter(({ project }) => project.name === 'scenario');
    const byFile = new Map(scenarios.map((specification) => [specification.moduleId, specification]));
    const ordered = orderScenarios([...byFile.keys()]).map((file) => byFile.get(file)!);
    return [...sorted.filter(({ project }) => project.name !== 'scenario'), ...ordered];
  }
}
