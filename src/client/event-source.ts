/** The longest event that is taken. */
const eventBytesMax = 1024 * 1024;

/** The `data` of each event of a text/event-stream (HTML standard, "Server-sent events"); comments and other fields are passed over. */
export async function* eventData(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line !== '') {
        if (line.startsWith('data:')) data.push(line.slice('data:'.length).replace(/^ /, ''));
        continue;
      }
      if (data.length > 0) yield data.join('\n');
      data = [];
    }
    if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > eventBytesMax) throw new Error('an event is too long');
  }
}
