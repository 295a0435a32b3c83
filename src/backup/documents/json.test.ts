import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatJson, parseJson, quoteJson } from './json.ts';

describe('JSON as Go writes it', () => {
  test.each([
    ['a<b>&c', String.raw`"a\u003cb\u003e\u0026c"`],
    ['\u0000\b\t\n\f\r\u001f\u007f\u0085', '"\\u0000\\b\\t\\n\\f\\r\\u001f\u007f\u0085"'],
    ['\u2028\u2029', String.raw`"\u2028\u2029"`],
    ['"\\/', String.raw`"\"\\/"`],
    ['ü😀', '"ü😀"'],
    ['\ud800x\udc00', String.raw`"\ufffdx\ufffd"`],
  ])('%j', (value, text) => expect(quoteJson(value)).toBe(text));

  test('integers beyond 2^53 keep their digits', () => {
    const text = '{"inode":18446744073709551615,"small":9007199254740991,"share":0.5,"list":[-9223372036854775808]}';
    expect(formatJson(parseJson(text))).toBe(text);
  });

  test('members that are undefined are left out, and what JSON has not is refused', () => {
    expect(formatJson({ a: undefined, b: null, c: [1, true, 'x'] })).toBe('{"b":null,"c":[1,true,"x"]}');
    expect(() => formatJson(Number.NaN)).toThrow(TypeError);
    expect(() => formatJson(() => 1)).toThrow(TypeError);
  });

  test('Safety: what is written is read as it was. Method: values of every kind', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = formatJson(value);
        expect(formatJson(parseJson(text))).toBe(text);
        // As JavaScript reads it, every value is the same: only the digits of large integers are kept better.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
