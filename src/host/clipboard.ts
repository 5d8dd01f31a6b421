/** The clipboard of the computer. */

/** False when the browser does not let the page write to it; then the text must be selected by hand. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false // not allowed, or no clipboard at all: the caller says so
  }
}
