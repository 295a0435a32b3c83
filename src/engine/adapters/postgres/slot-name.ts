import { createHash } from 'node:crypto';

const prefix = 'holdfast_';

/** The slot of a member on every other member: of a-z, 0-9 and _, up to 63 characters; different for different nodes. */
export function slotName(node: string): string {
  const readable = node
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_')
    .slice(0, 40);
  return `${prefix}${readable}_${createHash('sha256').update(node).digest('hex').slice(0, 8)}`;
}

/** Whether a slot is one that Holdfast made for a member. */
export function isMemberSlot(name: string): boolean {
  return name.startsWith(prefix) && /_[0-9a-f]{8}$/.test(name);
}
