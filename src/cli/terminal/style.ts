/** What a piece of text means; how that looks is the terminal's. */
export type Style = 'plain' | 'strong' | 'dim' | 'good' | 'warn' | 'bad' | 'changed';

/** Select Graphic Rendition parameters (ECMA-48, 8.3.117). */
const codes: Readonly<Record<Style, string>> = { plain: '', strong: '1', dim: '2', good: '32', warn: '33', bad: '31', changed: '7' };

/** Gives text its look. */
export type Paint = (text: string, style: Style) => string;

export const noPaint: Paint = (text) => text;

export const colours: Paint = (text, style) => (codes[style] === '' || text === '' ? text : `\u001b[${codes[style]}m${text}\u001b[0m`);

/** Colours where a person looks at a terminal that has them, and has not declined (no-color.org). */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  const declined = Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  return stream.isTTY === true && !declined ? colours : noPaint;
}

/** Text from elsewhere as one line of visible characters: what comes from another machine must not move the cursor here. */
export function visible(text: string): string {
  return text.replaceAll(/[\r\n\t]+/g, ' ').replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, '');
}
