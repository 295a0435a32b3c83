import { describe, expect, test } from 'vitest';
import { Gate } from './gate.ts';

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** Runs until it is interrupted, and needs a moment then. */
async function lettingGo(signal: AbortSignal, log: string[]): Promise<void> {
  await untilAborted(signal).catch(() => {});
  await Promise.resolve();
  log.push('let go');
}

describe('the gate', () => {
  test('lets one command through at a time, in order', async () => {
    const gate = new Gate();
    const log: string[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
    };
    const all = Promise.all([gate.run(work('one')), gate.run(work('two')), gate.run(work('three'))]);
    expect(gate.busy).toBe(true);
    await all;
    expect(log).toEqual(['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends']);
    expect(gate.busy).toBe(false);
  });

  test('what is urgent interrupts what runs, and begins when that has let go', async () => {
    const gate = new Gate();
    const log: string[] = [];
    const running = gate.run(async (signal) => {
      await lettingGo(signal, log);
      throw new Error('interrupted');
    });
    await Promise.resolve();
    const urgent = gate.run(async () => void log.push('urgent'), true);
    await expect(running).rejects.toThrow('interrupted');
    await urgent;
    expect(log).toEqual(['let go', 'urgent']);
  });

  test('what is urgent does not wait for what has not begun', async () => {
    const gate = new Gate();
    const log: string[] = [];
    const waiting = [gate.run(untilAborted), gate.run(async () => void log.push('late'))];
    const urgent = gate.run(async () => void log.push('urgent'), true);
    await Promise.all(waiting.map((one) => expect(one).rejects.toThrow('more urgent')));
    await urgent;
    expect(log).toEqual(['urgent']);
    expect(gate.busy).toBe(false);
  });

  test('passes failures on to whoever asked, and to nobody else', async () => {
    const gate = new Gate();
    const failing = gate.run(() => Promise.reject(new Error('no')));
    const next = gate.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });

  test('closed: what runs has let go by then, and nothing begins any more, however urgent', async () => {
    const gate = new Gate();
    const log: string[] = [];
    const running = gate.run((signal) => lettingGo(signal, log));
    const waiting = gate.run(async () => void log.push('waited'));
    await Promise.resolve();
    await Promise.all([
      gate.close().then(() => log.push('closed')),
      running,
      expect(waiting).rejects.toThrow('this member stops'),
      expect(gate.run(async () => void log.push('late'))).rejects.toThrow('this member stops'),
    ]);
    await expect(gate.run(async () => void log.push('urgent'), true)).rejects.toThrow('this member stops');
    expect(log).toEqual(['let go', 'closed']);
  });

  test('can be interrupted from outside', async () => {
    const gate = new Gate();
    const running = gate.run(untilAborted);
    gate.interrupt();
    await expect(running).rejects.toThrow('this member stops');
  });
});
