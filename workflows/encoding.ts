// Takes the place of Temporal's own module of this name in the bundle: that one encodes in JavaScript, which every run's context
// compiles and optimises anew; the sandbox has Node's.

export const { TextEncoder, TextDecoder } = globalThis;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

export function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
