import type { TreeNode } from './node.ts';

/** Names that would lead elsewhere: no system makes them, only who wants something written outside of where it is brought back. */
function isHostileName(name: string): boolean {
  return name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0');
}

/** The entries of a directory that can be made: hostile and repeated names are told and left out. @param tell is given what was wrong, in words */
export function soundNodes(nodes: readonly TreeNode[], tell: (problem: string) => void): TreeNode[] {
  const seen = new Set<string>();
  return nodes.filter(({ name }) => {
    const problem = isHostileName(name) ? 'leads elsewhere' : seen.has(name) ? 'comes twice' : undefined;
    seen.add(name);
    if (problem !== undefined) tell(`the name ${JSON.stringify(name)} ${problem}; it is left out`);
    return problem === undefined;
  });
}
