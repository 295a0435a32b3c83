// Messages of PostgreSQL's protocol for tests, as clients and servers send them.

export const sslRequest: Buffer = words(8, 80_877_103);
export const gssRequest: Buffer = words(8, 80_877_104);
export const authenticationOk: Buffer = message('R', words(0));
export const readyForQuery: Buffer = message('Z', Buffer.from('I'));

export function startupMessage(user: string): Buffer {
  const body = Buffer.concat([words(0x0003_0000), Buffer.from(`user\0${user}\0\0`)]);
  return Buffer.concat([words(4 + body.length), body]);
}

export function cancelRequest(processId: number, secret: Buffer): Buffer {
  return Buffer.concat([words(12 + secret.length, 80_877_102, processId), secret]);
}

export function backendKey(processId: number, secret: Buffer): Buffer {
  return message('K', Buffer.concat([words(processId), secret]));
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), words(4 + body.length), body]);
}

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, 4 * index);
  return buffer;
}
