import { HoldfastError } from '../../core/errors.ts';

/** What is wrong with what a program gave as a configuration, all at once. */
export function invalid(
  what: string,
  problems: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
  page: string,
): HoldfastError {
  const text = problems
    .map(({ path, message }) => [path.map(String).join('.'), message].filter((part) => part !== '').join(' '))
    .join('; ');
  return new HoldfastError('CONFIG_INVALID', `${what}: ${text}`, { hint: `${page} shows what is allowed.` });
}
