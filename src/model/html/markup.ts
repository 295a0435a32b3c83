/** Markup that is safe to put into a page. Made by `markup` alone, so that no text of a file gets there as it is. */
export class Markup {
  readonly text: string;

  /** @param text must be markup already: what people wrote goes through `markup`. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text and numbers are escaped, nothing is left out. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

/**
 * HTML or SVG from a template. Every value in it that is not `Markup` itself is text, and is escaped for content and for attributes in double
 * quotes. (Not for inside of script, style, or a URL: nothing of a file belongs there.)
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.reduce((text, string, index) => text + told(values[index - 1]) + string));
}

function told(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(told).join('');
  return escapeText(String(content));
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/**
 * Text as it stands in content or in a quoted attribute. What no document may hold (control characters, lone surrogates) and what would turn
 * the direction of the text around it (bidirectional controls) becomes U+FFFD.
 */
export function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\P{Cc}\t\n\r]|[\u202A-\u202E\u2066-\u2069\uFFFE\uFFFF]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => entities[character]!);
}
