import { createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileKernel, readKernels } from '../../../tools/build-kernels.ts';
import { poly1305 } from './poly1305.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** RFC 8439: section 2.5.2, and appendix A.3 with its messages that lie at the edges of the arithmetic. */
const rfc: readonly (readonly [name: string, key: string, message: string, code: string])[] = [
  [
    'section 2.5.2',
    '85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b',
    Buffer.from('Cryptographic Forum Research Group').toString('hex'),
    'a8061dc1305136c6c22b8baf0c0127a9',
  ],
  ['A.3 #1', '00'.repeat(32), '00'.repeat(64), '00'.repeat(16)],
  ['A.3 #7', `02${'00'.repeat(31)}`, 'ff'.repeat(16), `03${'00'.repeat(15)}`],
  ['A.3 #8', `02${'00'.repeat(15)}${'ff'.repeat(16)}`, `02${'00'.repeat(15)}`, `03${'00'.repeat(15)}`],
  ['A.3 #9', `01${'00'.repeat(31)}`, `${'ff'.repeat(16)}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`, `05${'00'.repeat(15)}`],
  ['A.3 #10', `01${'00'.repeat(31)}`, `${'ff'.repeat(16)}fb${'fe'.repeat(15)}${'01'.repeat(16)}`, '00'.repeat(16)],
  ['A.3 #11', `02${'00'.repeat(31)}`, `fd${'ff'.repeat(15)}`, `fa${'ff'.repeat(15)}`],
  [
    'A.3 #12',
    `0100000000000000040000000000000000000000000000000000000000000000`,
    'e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000',
    '14000000000000005500000000000000',
  ],
  [
    'A.3 #13',
    `0100000000000000040000000000000000000000000000000000000000000000`,
    'e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000',
    '13000000000000000000000000000000',
  ],
];

/** D. J. Bernstein, "The Poly1305-AES message-authentication code", appendix B: r, k, nonce, message, code. */
const bernstein: readonly (readonly [r: string, k: string, nonce: string, message: string, code: string])[] = [
  [
    '851fc40c3467ac0be05cc20404f3f700',
    'ec074c835580741701425b623235add6',
    'fb447350c4e868c52ac3275cf9d4327e',
    'f3f6',
    'f4c633c3044fc145f84f335cb81953de',
  ],
  [
    'a0f3080000f46400d0c7e9076c834403',
    '75deaa25c09f208e1dc4ce6b5cad3fbf',
    '61ee09218d29b0aaed7e154a2c5509cc',
    '',
    'dd3fab2251f11ac759f0887129cc2ee7',
  ],
  [
    '48443d0bb0d21109c89a100b5ce2c208',
    '6acb5f61a7176dd320c5c1eb2edcdc74',
    'ae212a55399729595dea458bc621ff0e',
    '663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136',
    '0ee1c16bb73f0f4fd19881753c01cdbe',
  ],
  [
    '12976a08c4426d0ce8a82407c4f48207',
    'e1a5668a4d5b66a5f68cc5424ed5982d',
    '9ae831e743978d3a23527c7128149e3a',
    'ab0812724a7f1e342742cbed374d94d136c6b8795d45b3819830f2c04491faf0990c62e48b8018b2c3e4a0fa3134cb67fa83e158c994d961c4cb21095c1bf9',
    '5154ad0d2cb26e01274fc51148491f1b',
  ],
];

describe('Poly1305', () => {
  test.each(rfc)('RFC 8439, %s', (_, key, message, code) => expect(text(poly1305(hex(key), hex(message)))).toBe(code));

  test.each(bernstein)('poly1305-aes of r %s', (r, k, nonce, message, code) => {
    const cipher = createCipheriv('aes-128-ecb', hex(k), null).setAutoPadding(false);
    const key = Buffer.concat([hex(r), cipher.update(hex(nonce))]);
    expect(text(poly1305(key, hex(message)))).toBe(code);
  });

  test('Safety: is that of arithmetic with whole numbers. Method: keys and messages of all sizes around those of blocks and of the input', () => {
    const sizes = fc.oneof(
      fc.nat(200),
      fc.nat(64).map((more) => 65_536 - 32 + more),
    );
    const edges = fc.constantFrom(0, 0xff, 0x0f, 0xfc, 0xfb, 0xfe, 1);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), sizes, fc.option(edges), (key, size, edge) => {
        const message = edge === null ? randomBytes(size) : Buffer.alloc(size, edge);
        expect(text(poly1305(key, message))).toBe(text(byWholeNumbers(key, message)));
      }),
      { numRuns: 60 },
    );
  });

  test('the kernel is what its source compiles to', async () => {
    const { poly1305: kernel } = await readKernels();
    const compiled = await compileKernel('poly1305', kernel!);
    expect(Buffer.from(compiled).equals(readFileSync(new URL('./poly1305.wasm', import.meta.url)))).toBe(true);
  });
});

/** The definition of RFC 8439, section 2.5.1, as it stands there. */
function byWholeNumbers(key: Uint8Array, message: Uint8Array): Uint8Array {
  const number = (bytes: Uint8Array): bigint => BigInt(`0x${text(Uint8Array.from(bytes).toReversed()) || '0'}`);
  const prime = (1n << 130n) - 5n;
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + number(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  const code = (sum + number(key.subarray(16))) & ((1n << 128n) - 1n);
  return hex(code.toString(16).padStart(32, '0')).toReversed();
}
