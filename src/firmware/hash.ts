/** SHA-256 as hex text: how this project names files, images and backups. */
import { hexBytes } from '#core/bytes.ts'

export async function sha256(bytes: Uint8Array): Promise<string> {
  return hexBytes(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as BufferSource)), '')
}
