/** How many tests ended how; a file that could not even be loaded, and a run that broke off, count as one failure each. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Counts = { passed: 0, failed: 0, skipped: 0 };

/** The parts of vitest's JSON report that are read here (the format is Jest's). */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const messageCharactersMax = 1_000;

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * @param json vitest's report; undefined when it wrote none
 * @param exitCode of vitest: what it failed for without blaming a test (an unhandled error, a crash) is a failure too
 */
export function countReport(json: string | undefined, exitCode: number): Counts {
  const report = json === undefined ? undefined : parse(json);
  if (!report) return { ...nothing, failed: 1 };
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * What failed, at all or at its first try, to be shown once more at the end: in the log of an unattended run the rest is often cut off, and of
 * a test that passed in the end vitest's own report for people tells no reason.
 * @param json vitest's report; undefined when it wrote none
 * @returns one text for each test: its file and name, then the beginning of its first message
 */
export function failures(json: string | undefined): string[] {
  const report = json === undefined ? undefined : parse(json);
  return (report?.testResults ?? []).flatMap((file) =>
    file.assertionResults.flatMap(({ status, fullName, failureMessages }) => {
      if (status !== 'failed' && failureMessages.length === 0) return [];
      const ended = status === 'failed' ? 'FAILED' : 'FAILED AT FIRST';
      return [`${ended} ${file.name}: ${fullName}\n${(failureMessages[0] ?? '').slice(0, messageCharactersMax)}`];
    }),
  );
}

export function summaryLine({ passed, failed, skipped }: Counts): string {
  return `tests: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function parse(json: string): Report | undefined {
  try {
    return JSON.parse(json) as Report;
  } catch {
    return undefined;
  }
}
