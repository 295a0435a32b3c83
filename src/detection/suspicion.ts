/** What one observer knows of one peer, at one moment. */
export interface PeerEvidence {
  /** φ of its heartbeats. */
  readonly phi: number;
  /** Its connection was reset or closed and a new one refused: its agent's process is gone. */
  readonly refused: boolean;
  /** How long nothing was heard of it. */
  readonly silentMs: number;
  /** Whether its service answered a probe on the clients' path after the silence began; undefined: not probed yet. */
  readonly service: 'answers' | 'refused' | 'silent' | undefined;
  /** It said itself that its service is down and that it gives up the leadership. */
  readonly released: boolean;
}

export interface SuspicionPolicy {
  /** φ from which silence is suspicious: 8 is one mistake in 10⁸ by the normal distribution. */
  readonly phi: number;
  /** How long a service is left alone that answers while its agent does not (an agent restart must not cost a failover). */
  readonly agentGraceMs: number;
}

export type Verdict =
  | { readonly suspects: false; readonly probe: boolean }
  | {
      readonly suspects: true;
      readonly probe: boolean;
      readonly why: 'released' | 'agent gone and service down' | 'silent and service down' | 'agent unresponsive';
    };

/**
 * One observer's verdict on a leader; `probe`: its service should be probed, now and again, since that decides. Pure. Two kinds of evidence are joined: of its agent (heartbeats) and of its service (a probe on the
 * clients' path), so that neither a dead agent over a healthy database nor a gray failure under a talking agent is misjudged.
 * A verdict alone does nothing: others must come to it too (see failover's fence).
 */
export function judge(evidence: PeerEvidence, policy: SuspicionPolicy): Verdict {
  if (evidence.released) return { suspects: true, probe: false, why: 'released' };
  const silent = evidence.phi >= policy.phi;
  // Asked in good time: a service that is silent too takes a while to show it.
  if (!evidence.refused && !silent) return { suspects: false, probe: evidence.phi >= policy.phi / 2 };
  if (evidence.service === undefined) return { suspects: false, probe: true };
  if (evidence.service !== 'answers') {
    return { suspects: true, probe: true, why: evidence.refused ? 'agent gone and service down' : 'silent and service down' };
  }
  if (evidence.silentMs >= policy.agentGraceMs) return { suspects: true, probe: true, why: 'agent unresponsive' };
  return { suspects: false, probe: true };
}
