import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BackendKeyScanner } from './backend-key.ts';
import { fatalError, judgeAnswer, readOpening, startupBytesMax } from './startup.ts';
import { authenticationOk, backendKey, cancelRequest, gssRequest, readyForQuery, sslRequest, startupMessage } from './test-wire.ts';

describe('readOpening', () => {
  it('tells what a client wants', () => {
    expect(readOpening(sslRequest)).toEqual({ kind: 'ssl', packet: sslRequest });
    expect(readOpening(gssRequest)).toEqual({ kind: 'gss', packet: gssRequest });
    expect(readOpening(startupMessage('ann'))).toEqual({ kind: 'startup', packet: startupMessage('ann') });
    const cancel = cancelRequest(7, Buffer.from('c0ffee00', 'hex'));
    expect(readOpening(cancel)).toEqual({ kind: 'cancel', packet: cancel, key: '00000007c0ffee00' });
    expect(readOpening(Buffer.from([0x16, 3, 1]))).toEqual({ kind: 'tls' });
  });

  it('takes cancellation keys of up to 256 bytes, as protocol 3.2 has them', () => {
    const secret = Buffer.alloc(256, 9);
    expect(readOpening(cancelRequest(1, secret))).toMatchObject({ kind: 'cancel', key: `00000001${secret.toString('hex')}` });
  });

  it('waits for the whole of a message, wherever it is cut', () => {
    for (const packet of [sslRequest, startupMessage('ann'), cancelRequest(1, Buffer.alloc(4))]) {
      for (let length = 0; length < packet.length; length++) expect(readOpening(packet.subarray(0, length)).kind).toBe('incomplete');
    }
  });

  it('leaves what follows a start-up message for the server', () => {
    const packet = startupMessage('ann');
    expect(readOpening(Buffer.concat([packet, Buffer.from('more')]))).toEqual({ kind: 'startup', packet });
  });

  it('refuses data smuggled in behind a request for encryption', () => {
    expect(readOpening(Buffer.concat([sslRequest, startupMessage('eve')])).kind).toBe('invalid');
    expect(readOpening(Buffer.concat([gssRequest, Buffer.from([0])])).kind).toBe('invalid');
  });

  it('refuses lengths that PostgreSQL would refuse', () => {
    for (const length of [0, 7, startupBytesMax + 1, 0x47455420 /* "GET " */, 0xffffffff]) {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(length);
      expect(readOpening(bytes).kind, String(length)).toBe('invalid');
    }
  });

  it('never throws and never reads past what it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const opening = readOpening(Buffer.from(bytes));
        if ('packet' in opening) expect(opening.packet.length).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});

describe('judgeAnswer', () => {
  it('passes on all answers but those of a server that will take clients later', () => {
    expect(judgeAnswer(authenticationOk).kind).toBe('pass');
    for (const state of ['28P01', '3D000', '53300', '08P01']) expect(judgeAnswer(fatalError(state, 'no', '')).kind, state).toBe('pass');
    for (const state of ['57P03', '57P01', '57P02']) {
      expect(judgeAnswer(fatalError(state, 'the database system is starting up', 'wait')), state).toEqual({
        kind: 'retry',
        why: 'the database system is starting up',
      });
    }
  });

  it('waits for the whole of an error', () => {
    const error = fatalError('57P03', 'the database system is starting up', '');
    for (let length = 0; length < error.length; length++) expect(judgeAnswer(error.subarray(0, length)).kind).toBe('incomplete');
    expect(judgeAnswer(Buffer.concat([error, Buffer.from('x')])).kind).toBe('retry');
  });

  it('passes on errors of before protocol 3, which have no length', () => {
    expect(judgeAnswer(Buffer.from('Ecould not fork new process for connection\n\0')).kind).toBe('pass');
  });
});

describe('BackendKeyScanner', () => {
  const secret = Buffer.from('01020304', 'hex');
  const beginning = Buffer.concat([
    authenticationOk,
    Buffer.from('S\0\0\0\x0fname\0value\0', 'latin1'),
    backendKey(42, secret),
    readyForQuery,
  ]);

  it('finds the key however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const scanner = new BackendKeyScanner();
        let found: string | null | undefined;
        for (let offset = 0, turn = 0; found === undefined && offset < beginning.length; turn++) {
          const end = offset + sizes[turn % sizes.length]!;
          found = scanner.feed(beginning.subarray(offset, end));
          offset = end;
        }
        expect(found).toBe(`0000002a${secret.toString('hex')}`);
      }),
    );
  });

  it('gives up at the first ReadyForQuery, at nonsense, and after 64 KiB', () => {
    expect(new BackendKeyScanner().feed(Buffer.concat([authenticationOk, readyForQuery]))).toBeNull();
    expect(new BackendKeyScanner().feed(Buffer.from('R\0\0\0\x01', 'latin1'))).toBeNull();
    const scanner = new BackendKeyScanner();
    const header = Buffer.from('D\x7f\0\0\0', 'latin1');
    expect(scanner.feed(header)).toBeUndefined();
    let result: string | null | undefined;
    for (let count = 0; count < 100 && result === undefined; count++) result = scanner.feed(Buffer.alloc(1000));
    expect(result).toBeNull();
  });
});
