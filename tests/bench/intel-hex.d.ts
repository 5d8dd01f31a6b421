/** The package has no types; this is what is used of it. */
declare module 'intel-hex' {
  const intelHex: { parse(text: string, payloadBytes: number): { readonly data: Buffer } }
  export default intelHex
}
