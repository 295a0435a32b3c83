import { describe, expect, test } from 'vitest';
import { judge, type PeerEvidence, type Verdict } from './suspicion.ts';

const policy = { phi: 8, agentGraceMs: 3_000 };
const well: PeerEvidence = { phi: 0.3, refused: false, silentMs: 50, service: undefined, released: false };
const silent: PeerEvidence = { ...well, phi: 20, silentMs: 700 };
const gone: PeerEvidence = { ...well, phi: 2, refused: true, silentMs: 30 };

describe('one observer’s verdict', () => {
  test.each<[string, PeerEvidence, Verdict]>([
    ['heartbeats come', well, { suspects: false, probe: false }],
    [
      'a service that answers nobody under a talking agent is the agent’s to judge',
      { ...well, service: 'silent' },
      { suspects: false, probe: false },
    ],
    ['later than usual', { ...well, phi: 3.99, silentMs: 300 }, { suspects: false, probe: false }],
    ['half way to the threshold', { ...well, phi: 4, silentMs: 320 }, { suspects: false, probe: true }],
    [
      'just below the threshold, whatever its service says',
      { ...well, phi: 7.99, silentMs: 400, service: 'refused' },
      { suspects: false, probe: true },
    ],
    ['at the threshold, not probed yet', { ...well, phi: 8, silentMs: 430 }, { suspects: false, probe: true }],
    ['silent, its service silent, too', { ...silent, service: 'silent' }, { suspects: true, probe: true, why: 'silent and service down' }],
    ['silent, its service refused', { ...silent, service: 'refused' }, { suspects: true, probe: true, why: 'silent and service down' }],
    ['silent, but its service answers: an agent that restarts', { ...silent, service: 'answers' }, { suspects: false, probe: true }],
    [
      '… until the grace is over',
      { ...silent, silentMs: 3_000, service: 'answers' },
      { suspects: true, probe: true, why: 'agent unresponsive' },
    ],
    ['its process is gone, not probed yet', gone, { suspects: false, probe: true }],
    [
      'its process is gone, its service, too',
      { ...gone, service: 'refused' },
      { suspects: true, probe: true, why: 'agent gone and service down' },
    ],
    ['its process is gone, its service answers', { ...gone, service: 'answers' }, { suspects: false, probe: true }],
    ['it gave up the leadership itself', { ...well, released: true }, { suspects: true, probe: false, why: 'released' }],
    ['it gave up, and is silent since', { ...silent, released: true }, { suspects: true, probe: false, why: 'released' }],
  ])('%s', (_, evidence, verdict) => {
    expect(judge(evidence, policy)).toEqual(verdict);
  });
});
