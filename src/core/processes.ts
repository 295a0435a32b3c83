/** Who a child process runs as. Absent: as this process. */
export interface Account {
  uid: number;
  gid: number;
  name: string;
}

/** Names one process of one boot for good: a reused pid has another start time. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot (proc(5)). */
  startTicks: number;
}

export interface RunOptions {
  account?: Account;
  cwd?: string;
  /** Added to a minimal environment (PATH, LANG=C, TZ, HOME of the account). */
  env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. The way for secrets: never argv. */
  input?: string;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Per stream; what exceeds it is dropped and `truncated` is set. Default 1 MiB. */
  outputBytesMax?: number;
}

export interface RunResult {
  /** Exit code; 128 + n when ended by signal n. */
  code: number;
  stdout: string;
  stderr: string;
  truncated: boolean;
}

/** A started process that outlives this one (own session, no controlling terminal). */
export interface DetachedProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when it ends, as long as this process lives. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
}

/** Child processes as a port. */
export interface Processes {
  /**
   * Runs to the end. A non-zero exit code is a result, not an error.
   * @throws PROCESS_NOT_STARTED (no such binary, no permission), PROCESS_TIMEOUT (killed by then)
   */
  run(binary: string, args: readonly string[], options: RunOptions): Promise<RunResult>;
  /**
   * Starts a process that survives this one. Its output is appended to `logFile`, or dropped.
   * @throws PROCESS_NOT_STARTED
   */
  startDetached(
    binary: string,
    args: readonly string[],
    options: { account?: Account; cwd?: string; env?: Readonly<Record<string, string>>; logFile?: string },
  ): Promise<DetachedProcess>;
  /** The identity of a running pid; undefined when there is none, or it is a zombie. */
  identify(pid: number): ProcessIdentity | undefined;
  /** Whether exactly this process still runs. */
  isAlive(identity: ProcessIdentity): boolean;
  /** All processes whose working directory is `directory` or below it. */
  withWorkingDirectory(directory: string): ProcessIdentity[];
  /** All processes of the session (setsid) that `leader` leads. */
  inSession(leaderPid: number): ProcessIdentity[];
  /** Sends a signal to exactly this process; false when it is gone. */
  kill(identity: ProcessIdentity, signal: NodeJS.Signals): boolean;
}
