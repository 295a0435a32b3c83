import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Names the directory in which data that initdb made are kept while scenarios run (templates.ts); not set where initdb is always to run. */
export const templatesVariable = 'HOLDFAST_TEST_TEMPLATES';

/**
 * A directory of PostgreSQL's programs whose initdb copies what initdb made for an earlier test from the same arguments, which spares a second of
 * computing. It does so once: another cluster made by the same directory's programs is one of its own, by initdb itself.
 * @param bin the programs as they are
 * @param templates may be written by the account that `initdb` runs as, as may `directory`
 */
export async function withCopyingInitdb(bin: string, directory: string, templates: string): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  for (const program of await readdir(bin)) if (program !== 'initdb') await symlink(join(bin, program), join(directory, program));
  const script = join(directory, 'initdb');
  await writeFile(script, copyingInitdb(quote(join(bin, 'initdb')), quote(templates), quote(join(directory, 'copied'))));
  await chmod(script, 0o755);
}

/** Several of these may run at a time: a template is put in place whole, and whoever is second uses that of the first. */
function copyingInitdb(initdb: string, templates: string, copied: string): string {
  return `#!/bin/sh
set -eu
[ "$1" = -D ] || exec ${initdb} "$@"
mkdir ${copied} 2>/dev/null || exec ${initdb} "$@"
target=$2
shift 2
template=${templates}/$(printf '%s\\n' ${initdb} "$@" | cksum | tr ' ' -)
if [ ! -d "$template" ]; then
  ${initdb} -D "$template.$$" "$@"
  mv -T "$template.$$" "$template" 2>/dev/null || rm -rf "$template.$$"
fi
cp -a "$template/." "$target/"
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
