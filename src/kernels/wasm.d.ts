/** What `assemblyscript.js` makes of a file: the bytes of a WebAssembly module. */
declare module '*.as.ts?wasm' {
  const bytes: Uint8Array<ArrayBuffer>
  export default bytes
}
