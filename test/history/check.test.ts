import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { seededRandom } from '../../src/sim/index.ts';
import { isLinearizableByDefinition } from './brute-force.ts';
import { checkLinearizable, type Verdict } from './check.ts';
import { explain } from './explain.ts';
import { generateHistory, registerInputs, sequentialKey, sequentialRegister, withOneAnswerChanged } from './generate.ts';
import { parseJepsenLog } from './jepsen-log.ts';
import type { Operation } from './model.ts';
import { lock, type LockInput, type LockOutput } from './models/lock.ts';
import { register, type RegisterInput, type RegisterOutput } from './models/register.ts';
import { storeKey, type StoreKeyInput, type StoreKeyOutput } from './models/store-key.ts';

const folder = fileURLToPath(new URL('jepsen-etcd/', import.meta.url));
const expected = readFileSync(`${folder}expected.txt`, 'utf8').trim().split('\n');
const seeds = Array.from({ length: 400 }, (_, seed) => seed);

function verdictOf(linearizable: boolean): Verdict {
  return linearizable ? 'linearizable' : 'not linearizable';
}

function jepsenLog(number: string): string {
  return readFileSync(`${folder}etcd_${number.padStart(3, '0')}.log`, 'utf8');
}

describe('histories of etcd that Jepsen recorded', () => {
  test('are 102', () => expect(expected).toHaveLength(102));

  it.each(expected.map((line) => line.split(' ') as [string, string]))('%s: linearizable is %s', (number, answer) => {
    expect(checkLinearizable(register, parseJepsenLog(jepsenLog(number))).verdict).toBe(verdictOf(answer === 'true'));
  });
});

describe('Safety: the verdict is that of the definition. Method: all orders of small random histories, answers true and invented', () => {
  test('for a register', () => {
    const count = { yes: 0, no: 0 };
    for (const seed of seeds) {
      const random = seededRandom(seed);
      const shape = { processes: 3, operations: 7, lost: 0.2 };
      const real = generateHistory(random, shape, sequentialRegister(), registerInputs(random, 3));
      const invented = real.map((operation) => {
        const { input, output } = operation;
        if (output === undefined || !random.chance(0.3)) return operation;
        if (input.f === 'read') return { ...operation, output: { value: String(random.integer(3)) } };
        return input.f === 'cas' ? { ...operation, output: { done: random.chance(0.5) } } : operation;
      });
      for (const history of [real, invented]) {
        const linearizable = isLinearizableByDefinition(register, history);
        count[linearizable ? 'yes' : 'no'] += 1;
        expect(checkLinearizable(register, history).verdict, `seed ${seed}`).toBe(verdictOf(linearizable));
      }
    }
    expect(Math.min(count.yes, count.no)).toBeGreaterThan(100);
  });

  test('for a key of a store', () => {
    const count = { yes: 0, no: 0 };
    for (const seed of seeds) {
      const random = seededRandom(`key ${seed}`);
      const { object, nextInput, learn } = sequentialKey(random);
      const real = generateHistory(random, { processes: 3, operations: 7, lost: 0.2 }, object, nextInput, learn);
      const invented = withOneAnswerChanged(random, real, wrongKeyAnswer) ?? real;
      for (const history of [real, invented]) {
        const linearizable = isLinearizableByDefinition(storeKey, history);
        count[linearizable ? 'yes' : 'no'] += 1;
        expect(checkLinearizable(storeKey, history).verdict, `seed ${seed}`).toBe(verdictOf(linearizable));
      }
    }
    expect(Math.min(count.yes, count.no)).toBeGreaterThan(100);
  });

  test('for a lock', () => {
    const count = { yes: 0, no: 0 };
    for (const seed of seeds) {
      const random = seededRandom(`lock ${seed}`);
      const history = Array.from({ length: 5 }, (): Operation<LockInput, LockOutput> => {
        const call = random.next() * 4;
        const token = BigInt(1 + Math.floor(call) + random.integer(2));
        const f = random.pick(['acquire', 'acquire', 'holds', 'release'] as const);
        const input: LockInput = f === 'acquire' ? { f, key: 'l' } : { f, key: 'l', token };
        const output = random.chance(0.1) ? undefined : f === 'acquire' ? { token } : {};
        return { process: 'p', input, output, call, return: output === undefined ? Infinity : call + random.next() };
      });
      const linearizable = isLinearizableByDefinition(lock, history);
      count[linearizable ? 'yes' : 'no'] += 1;
      expect(checkLinearizable(lock, history).verdict, `seed ${seed}`).toBe(verdictOf(linearizable));
    }
    expect(Math.min(count.yes, count.no)).toBeGreaterThan(10);
  });
});

describe('long histories', () => {
  test('of a real sequential register with random overlap and lost answers are accepted', () => {
    for (const seed of seeds.slice(0, 40)) {
      const random = seededRandom(`long ${seed}`);
      const history = generateHistory(
        random,
        { processes: 8, operations: 400, lost: 0.02 },
        sequentialRegister(),
        registerInputs(random, 5),
      );
      expect(checkLinearizable(register, history).verdict, `seed ${seed}`).toBe('linearizable');
    }
  });

  test('of a real key are accepted, and rejected when one answer is one that it never gave', () => {
    for (const seed of seeds.slice(0, 40)) {
      const random = seededRandom(`long key ${seed}`);
      const { object, nextInput, learn } = sequentialKey(random);
      const history = generateHistory(random, { processes: 8, operations: 400, lost: 0.02 }, object, nextInput, learn);
      expect(checkLinearizable(storeKey, history).verdict, `seed ${seed}`).toBe('linearizable');
      const mutated = withOneAnswerChanged(random, history, wrongKeyAnswer)!;
      expect(checkLinearizable(storeKey, mutated).verdict, `seed ${seed}`).toBe('not linearizable');
    }
  });

  test('are split by key: a thousand keys at once are no harder than one', () => {
    const history = Array.from({ length: 1_000 }, (_, n): Operation<RegisterInput, RegisterOutput> => {
      const [key, call] = [`k${n}`, n / 1_000];
      return { process: `p${n}`, input: { f: 'write', key, to: 'a' }, output: {}, call, return: 10 };
    });
    const judgement = checkLinearizable(register, history);
    expect(judgement).toMatchObject({ verdict: 'linearizable', partitions: 1_000 });
    expect(judgement.steps).toBeLessThan(10_000);
  });
});

describe('the limits', () => {
  /** So many writes at once, and a read of none of them, that all orders would take for ever. */
  const hard: Operation<RegisterInput, RegisterOutput>[] = [
    ...Array.from({ length: 40 }, (_, n) => ({ process: `p${n}`, input: write(`v${n}`), output: {}, call: 0, return: 10 })),
    { process: 'r', input: { f: 'read', key: 'x' }, output: { value: 'never written' }, call: 20, return: 21 },
  ];

  test('of steps: the answer is that there is none', () => {
    expect(checkLinearizable(register, hard, { stepsMax: 10_000 })).toMatchObject({ verdict: 'unknown', steps: 10_001 });
  });

  test('of time', () => {
    let nowMs = 0;
    const clock = { monotonicMs: () => (nowMs += 10) };
    expect(checkLinearizable(register, hard, { clock, limitMs: 50 }).verdict).toBe('unknown');
    expect(nowMs).toBeLessThan(100);
  });

  test('do not hide another object that is certainly not linearizable', () => {
    const wrong = { process: 'w', input: { f: 'read', key: 'y' }, output: { value: 'ghost' }, call: 0, return: 1 } as const;
    expect(checkLinearizable(register, [wrong, ...hard], { stepsMax: 10_000 }).verdict).toBe('not linearizable');
  });
});

describe('a rejection', () => {
  test('names the longest prefix that has an order, and the first answer that has no place', () => {
    const history: Operation<RegisterInput, RegisterOutput>[] = [
      { process: 'a', input: write('1'), output: {}, call: 0, return: 2 },
      { process: 'b', input: write('2'), output: {}, call: 3, return: 8 },
      { process: 'c', input: { f: 'read', key: 'x' }, output: { value: '2' }, call: 4, return: 5 },
      { process: 'd', input: { f: 'read', key: 'x' }, output: { value: '1' }, call: 6, return: 7 },
      { process: 'e', input: { f: 'cas', key: 'x', from: '9', to: '3' }, output: { done: true }, call: 9, return: 10 },
    ];
    const { failure } = checkLinearizable(register, history);
    expect(failure?.stuck.process).toBe('d');
    expect(explain(register, failure!)).toBe(
      [
        'x: 3 of 5 operations can be put in an order that explains all answers up to then:',
        '    a: write 1   (called 0, answered 2)',
        '    b: write 2   (called 3, answered 8)',
        '    c: read → 2   (called 4, answered 5)',
        '  The state is then "2", and there is no place for',
        '    d: read → 1   (called 6, answered 7)',
      ].join('\n'),
    );
  });

  test('is never later than needed: what comes before it is linearizable, what includes it is not', () => {
    let rejected = 0;
    for (const seed of seeds.slice(0, 100)) {
      const random = seededRandom(`prefix ${seed}`);
      const { object, nextInput, learn } = sequentialKey(random);
      const history = generateHistory(random, { processes: 4, operations: 60, lost: 0.05 }, object, nextInput, learn);
      const mutated = withOneAnswerChanged(random, history, wrongKeyAnswer)!;
      const { failure } = checkLinearizable(storeKey, mutated);
      if (failure === undefined) continue;
      rejected += 1;
      const upTo = (time: number): Verdict =>
        checkLinearizable(
          storeKey,
          mutated.filter((one) => one.return <= time),
        ).verdict;
      // Without what was still under way, an order can only be harder to find: so this side is exact in one direction alone.
      expect(upTo(failure.stuck.return), `seed ${seed}`).toBe('not linearizable');
      expect(failure.order.every((one) => one.call < failure.stuck.return)).toBe(true);
      expect(mutated.filter((one) => one.return < failure.stuck.return).every((one) => failure.order.includes(one))).toBe(true);
    }
    expect(rejected).toBeGreaterThan(50);
  });
});

describe('a lock', () => {
  const acquire = (token: bigint, call: number): Operation<LockInput, LockOutput> => ({
    process: `h${token}`,
    input: { f: 'acquire', key: 'l' },
    output: { token },
    call,
    return: call + 1,
  });
  const holds = (token: bigint, at: number): Operation<LockInput, LockOutput> => ({
    process: `h${token}`,
    input: { f: 'holds', key: 'l', token },
    output: {},
    call: at,
    return: at,
  });

  test.each([
    ['one after the other', true, [acquire(3n, 0), holds(3n, 2), acquire(7n, 3), holds(7n, 5)]],
    ['a token that goes back', false, [acquire(7n, 0), acquire(3n, 3)]],
    ['a token used twice', false, [acquire(7n, 0), acquire(7n, 3)]],
    ['two valid holders', false, [acquire(3n, 0), acquire(7n, 3), holds(3n, 4.5)]],
    ['valid after a release', false, [acquire(3n, 0), { ...holds(3n, 2), input: { f: 'release', key: 'l', token: 3n } }, holds(3n, 4)]],
    ['two locks', true, [acquire(7n, 0), { ...acquire(3n, 3), input: { f: 'acquire', key: 'other' } }]],
  ] as [string, boolean, Operation<LockInput, LockOutput>[]][])('%s: %s', (_, allowed, history) => {
    expect(checkLinearizable(lock, history).verdict).toBe(verdictOf(allowed));
  });
});

function write(to: string): RegisterInput {
  return { f: 'write', key: 'x', to };
}

/** A value that nobody wrote, a revision that was never given; undefined where the answer says too little to be made certainly wrong. */
function wrongKeyAnswer({ output }: Operation<StoreKeyInput, StoreKeyOutput>): StoreKeyOutput | undefined {
  if (output === undefined || 'removed' in output) return undefined;
  if ('revision' in output) return { revision: 0n };
  return output.current === null ? undefined : { current: { ...output.current, value: 'ghost' } };
}
