/**
 * This computer's own signing key: Ed25519 by WebCrypto, its private half never extractable, kept in the
 * database. It shows that a certificate was not changed since it was issued here; it does not say by whom.
 * A browser without Ed25519 signs nothing, and says so.
 */
import { fromHex, hexBytes } from '#core/bytes.ts'
import { changing, reading, recordOf, type Database, type Torn } from './db.ts'

export interface Signature {
  readonly algorithm: 'Ed25519'
  /** Hex: 32 bytes, raw. */
  readonly publicKey: string
  /** Hex: 64 bytes. */
  readonly value: string
}

const algorithm = 'Ed25519'
const slot = 'signing'

export class Keys {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Undefined: this browser cannot sign. Makes the key when there is none yet. */
  async sign(bytes: Uint8Array): Promise<Signature | undefined> {
    const pair = await this.#pair()
    if (!pair) return undefined
    const [publicKey, value] = await Promise.all([
      crypto.subtle.exportKey('raw', pair.publicKey),
      crypto.subtle.sign(algorithm, pair.privateKey, bytes as Uint8Array<ArrayBuffer>),
    ])
    return { algorithm, publicKey: hex(publicKey), value: hex(value) }
  }

  async #pair(): Promise<CryptoKeyPair | undefined> {
    const stored = await reading('reading the signing key', this.#db, ['keys'], (all) =>
      recordOf(all.objectStore('keys'), slot),
    )
    if (isPair(stored)) return stored
    const fresh = await generate()
    if (!fresh) return undefined
    let pair = fresh
    await changing('storing the signing key', this.#db, ['keys'], async (all) => {
      const keys = all.objectStore('keys')
      const other = await keys.get(slot) // another tab may have been quicker
      if (isPair(other)) pair = other
      else await keys.put(fresh, slot)
    })
    return pair
  }
}

/** Undefined: this browser cannot check. */
export async function verifySignature(bytes: Uint8Array, signature: Signature): Promise<boolean | undefined> {
  return unlessUnsupported(async () => {
    const key = await crypto.subtle.importKey('raw', raw(signature.publicKey), algorithm, true, ['verify'])
    return crypto.subtle.verify(algorithm, key, raw(signature.value), bytes as Uint8Array<ArrayBuffer>)
  })
}

/** A torn one signs nothing any more; what was signed with it has its public half by itself. */
const isPair = (stored: Torn<CryptoKeyPair>): stored is CryptoKeyPair =>
  stored?.publicKey instanceof CryptoKey && stored.privateKey instanceof CryptoKey

const generate = (): Promise<CryptoKeyPair | undefined> =>
  unlessUnsupported(async () => {
    return await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify'])
  })

async function unlessUnsupported<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotSupportedError') return undefined
    throw error
  }
}

const raw = (text: string) => fromHex(text) as Uint8Array<ArrayBuffer>
const hex = (buffer: ArrayBuffer) => hexBytes(new Uint8Array(buffer), '')
