import { businessRecoveryMs, catchUpMs } from '../recovery-time/recovery-time.ts';
import type { StepLaw } from '../recovery-time/total-time.ts';
import { totalTime } from '../recovery-time/total-time.ts';
import type { RecoveryAnswer } from './answer.ts';
import type { LawInput } from './law.ts';
import { meanOf, stepLawOf } from './law.ts';
import type { Model } from './schema.ts';

const hourMs = 3_600_000;

type Recovery = NonNullable<Model['recovery']>[string];

/** The laws of the steps of a recovery, in hours. */
export function recoverySteps(recovery: Recovery): readonly { readonly step: string; readonly law: StepLaw }[] {
  const { bytes = 0, rate, rampup = 0, history = 0 } = recovery;
  const copyHours = rate === undefined ? 0 : bytes / rate / 3600;
  const steps: readonly { readonly step: string; readonly law: LawInput; readonly factor?: number }[] = [
    { step: 'detect', law: recovery.detect ?? 0 },
    { step: 'decide', law: recovery.decide ?? 0 },
    { step: 'provision', law: recovery.provision ?? 0 },
    { step: 'copy', law: copyHours },
    { step: 'start', law: recovery.start ?? 0 },
    { step: 'replay', law: history, factor: rampup },
    { step: 'verify', law: recovery.verify ?? 0 },
    { step: 'cut over', law: recovery.cutover ?? 0 },
  ];
  return steps.map(({ step, law, factor = 1 }) => ({ step, law: stepLawOf(factor === 0 ? 0 : law, factor === 0 ? 1 : factor) }));
}

/** Expected time, quantiles and steps of one recovery. */
export function evaluateRecovery(recovery: Recovery): RecoveryAnswer {
  const { rampup = 0, history = 0, loss, reentry, objective } = recovery;
  const steps = recoverySteps(recovery);
  const total = totalTime(steps.map(({ law }) => law));
  const expectedMs = total.mean * hourMs;
  const at = (p: number) => total.quantile(p) * hourMs;
  return {
    expectedMs,
    quantilesMs: { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) },
    steps: steps.map(({ step, law }) => ({ step, meanMs: law.mean * hourMs })),
    ...(objective === undefined ? {} : { withinObjective: total.within(objective) }),
    ...(rampup > 0 ? { catchUpMs: catchUpMs(rampup, meanOf(history) * hourMs) } : {}),
    ...(loss !== undefined && reentry !== undefined ? { businessMs: businessRecoveryMs(expectedMs, loss * hourMs, reentry) } : {}),
    assumptions: [
      'the steps follow each other, and how long one lasts says nothing about another',
      ...(rampup >= 1 ? ['at a rampup of 1 or more, live changes are never caught up with: no RTO may be promised'] : []),
    ],
  };
}
