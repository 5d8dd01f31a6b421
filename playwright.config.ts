/** The stories: the built site in Debian's Chromium, two at a time. */
import { defineConfig } from '@playwright/test'

const port = Number(process.env['PORT'] ?? 4174)

export default defineConfig({
  testDir: 'tests/e2e',
  workers: 2,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 90_000,
  expect: { timeout: 40_000 }, // a chip is read and written in between, on a machine that may be busy
  use: {
    baseURL: `http://localhost:${String(port)}`,
    browserName: 'chromium',
    headless: true,
    launchOptions: { executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium' },
    trace: 'retain-on-failure',
    video: 'off',
  },
  webServer: {
    command: `npx vite preview --port ${String(port)} --strictPort`,
    url: `http://localhost:${String(port)}`,
    reuseExistingServer: false,
  },
})
