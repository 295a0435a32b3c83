import { HoldfastError } from '../../core/errors.ts';
import { assertNonNegative, assertPositive } from '../special/domain.ts';

/** What a recovery is made of. Times in milliseconds. */
export interface RecoveryTerms {
  /** From the failure until somebody or something knows of it. */
  readonly detectMs: number;
  /** Until it is decided to recover. */
  readonly decideMs: number;
  /** Until there is a machine to recover on. */
  readonly provisionMs: number;
  /** What is copied back, and how quickly. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
  /** Start-up of what replays, before the first change is replayed: the intercept a. */
  readonly startMs: number;
  /** Rampup ρ: seconds of replay per second of history; a pure number. */
  readonly rampup: number;
  /** The history that is replayed, w: from the base backup to the target. */
  readonly replayedMs: number;
  readonly verifyMs: number;
  readonly cutoverMs: number;
}

export type RecoveryStep = 'detect' | 'decide' | 'provision' | 'copy' | 'start' | 'replay' | 'verify' | 'cut over';

export interface RecoveryTime {
  readonly totalMs: number;
  /** In their order; they add up to the total. */
  readonly steps: readonly { readonly step: RecoveryStep; readonly ms: number }[];
}

/**
 * RTA = detect + decide + provision + bytes/rate + a + ρ·w + verify + cut-over. The founding formula, Recovery Time = RTO + RPO × Rampup, made
 * whole: RTO there is what does not depend on history, RPO the history to replay, and Rampup a number without a unit, so that all terms are times.
 */
export function recoveryTime(terms: RecoveryTerms): RecoveryTime {
  for (const [name, value] of Object.entries(terms)) {
    if (name === 'bytesPerSecond') continue;
    assertNonNegative(name, value);
  }
  assertPositive('bytesPerSecond', terms.bytesPerSecond);
  const steps = [
    { step: 'detect', ms: terms.detectMs },
    { step: 'decide', ms: terms.decideMs },
    { step: 'provision', ms: terms.provisionMs },
    { step: 'copy', ms: (terms.bytes / terms.bytesPerSecond) * 1000 },
    { step: 'start', ms: terms.startMs },
    { step: 'replay', ms: terms.rampup * terms.replayedMs },
    { step: 'verify', ms: terms.verifyMs },
    { step: 'cut over', ms: terms.cutoverMs },
  ] as const;
  return { totalMs: steps.reduce((sum, { ms }) => sum + ms, 0), steps };
}

/**
 * How long catching up takes while new changes go on coming: first ρw, in which ρw of new history has come, and so on: ρw/(1−ρ). At ρ ≥ 1 it
 * never ends, however short the way: then no recovery time may be promised.
 */
export function catchUpMs(rampup: number, behindMs: number): number {
  assertNonNegative('the rampup', rampup);
  assertNonNegative('what is behind', behindMs);
  if (rampup >= 1) return Infinity;
  return (rampup * behindMs) / (1 - rampup);
}

/** The largest lag that can be caught up within a time, (1−ρ)t/ρ; 0 at ρ ≥ 1. */
export function lagWithin(rampup: number, timeMs: number): number {
  assertNonNegative('the rampup', rampup);
  if (rampup >= 1) return 0;
  return rampup === 0 ? Infinity : ((1 - rampup) * timeMs) / rampup;
}

/**
 * RPA, the history that was lost: from the last acknowledged commit that is present afterwards to the failure. Both stamps come from one clock,
 * that of a heartbeat table in the data; the time of a backup says when copying began, not what it holds.
 * @throws MODEL_DOMAIN when the commit is of after the failure
 */
export function recoveryPointMs(failureMs: number, lastCommitMs: number): number {
  if (!(lastCommitMs <= failureMs))
    throw new HoldfastError('MODEL_DOMAIN', 'a commit that is present can not be later than the failure: the stamps are of two clocks');
  return failureMs - lastCommitMs;
}

/** Until the business is where it was: the recovery, and the re-entry of what was lost at κ seconds of work per second of lost history. */
export function businessRecoveryMs(recoveryMs: number, lostMs: number, reentry: number): number {
  for (const [name, value] of Object.entries({ 'the recovery time': recoveryMs, 'the lost history': lostMs, 're-entry κ': reentry })) {
    assertNonNegative(name, value);
  }
  return recoveryMs + reentry * lostMs;
}

/** Mean and largest history to replay when base backups are taken every so often and last so long: the failure falls anywhere between them. */
export function replayWindow(backupEveryMs: number, backupLastsMs = 0): { readonly meanMs: number; readonly worstMs: number } {
  assertPositive('the interval of backups', backupEveryMs);
  assertNonNegative('the length of a backup', backupLastsMs);
  // A backup counts from its beginning, and can be used from its end.
  return { meanMs: backupEveryMs / 2 + backupLastsMs, worstMs: backupEveryMs + backupLastsMs };
}
