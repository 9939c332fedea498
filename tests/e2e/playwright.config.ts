import { defineConfig } from "@playwright/test";

// Debian's Chromium, never one that Playwright fetches. Each story starts its own Reveille (REVEILLE_BIN),
// so they share nothing, and two at a time suit a small machine.
export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: "results",
  forbidOnly: true,
  fullyParallel: true,
  workers: 2,
  // A story that passes only at the second try is a failure that wants reading.
  retries: 0,
  // A machine that builds something beside takes several times as long; what is slow by itself shows in the list of times.
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    headless: true,
    locale: "en-GB",
    timezoneId: "UTC",
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env["REVEILLE_CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
