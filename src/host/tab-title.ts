/** What the tab's own label says, which is all that is seen of it behind others; until the returned function is called. */
export function labelTab(text: string): () => void {
  const before = document.title
  document.title = text
  return () => {
    if (document.title === text) document.title = before
  }
}
