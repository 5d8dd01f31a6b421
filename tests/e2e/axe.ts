/** What axe objects to on a page; it is put there by `page.addInitScript({ content: axe })`. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from '@playwright/test'
import type { AxeResults, RunOptions } from 'axe-core'

export const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

declare global {
  interface Window {
    /** Put there by `axe-core`. */
    axe: { run(options: RunOptions): Promise<AxeResults> }
  }
}

/** Everything axe objects to, in words for whoever reads the failure. */
export const objections = (page: Page, options: RunOptions): Promise<string[]> =>
  page.evaluate(async (how) => {
    const { violations } = await window.axe.run(how)
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(
        ({ target, failureSummary = '' }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`,
      ),
    )
  }, options)
