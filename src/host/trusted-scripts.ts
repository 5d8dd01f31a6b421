/**
 * Which scripts a string may name: files below the page's own folder, so the two workers and nothing else
 * of the origin. The page's policy (`content-security-policy.ts`) asks here before a worker starts; text
 * that would become HTML or code has no rule and is refused. Trusted Types, section 4.4.
 */
interface TrustedTypes {
  createPolicy(name: 'default', rules: { createScriptURL(url: string): string | undefined }): unknown
}

/** Once, before the first worker. */
export function trustOwnScripts(): void {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  const home = new URL('.', document.baseURI).href
  trustedTypes?.createPolicy('default', {
    createScriptURL: (url) => (new URL(url, document.baseURI).href.startsWith(home) ? url : undefined),
  })
}
