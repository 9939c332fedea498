// One night from the first exception to the answer, on the pages that a visitor of the demo has open.
import { ANA, BO, expect, type Incident, look, phone, record, signIn, SHOTS, test, told } from "./house";

test("a signal wakes one person, then the next, and the timeline shows each step as it happens", async ({ demo, page, context }) => {
  test.setTimeout(300_000);
  const stage = await context.newPage();
  await stage.goto(demo.stage);
  const [ana, bo] = [phone(stage, "Ana Ruiz"), phone(stage, "Bo Lind")];
  await expect(ana.getByText("No calls yet.")).toBeVisible();
  await expect(bo.getByText("No calls yet.")).toBeVisible();

  // Both pages are open before the first exception: the incident comes to the list by itself.
  await signIn(page, demo.signInLink());
  await expect(page.getByRole("heading", { name: "Nothing has happened yet" })).toBeVisible();
  await page.evaluate(() => Object.assign(window, { untouched: true }));
  const row = page.getByRole("link", { name: /No space left on device/ });
  await expect(row).toBeVisible({ timeout: 20_000 });
  expect(await page.evaluate(() => "untouched" in window), "the list was not loaded again").toBe(true);
  await row.click();

  const shown = await record(page);

  // Ana's phone rings, and is left alone until it stops by itself.
  await expect(ana).toHaveClass(/ringing/);
  await expect(ana.getByRole("button", { name: "Answer" })).toBeVisible();
  await expect(stage).toHaveTitle(/Ringing/);
  await expect(bo.getByText("No calls yet.")).toBeVisible();

  // Half a minute later it is Bo's turn. He takes it by mouse and answers by key.
  await expect(bo).toHaveClass(/ringing/, { timeout: 40_000 });
  const { items } = await demo.api<{ items: { at: string; kind: string }[] }>("/incidents/1/timeline");
  const [first, second] = items.filter((entry) => entry.kind === "step_started").map((entry) => Date.parse(entry.at));
  expect(second! - first!, "Bo is called 30 s after Ana, ms").toBeGreaterThanOrEqual(30_000);
  await expect(ana.getByText("Not answered", { exact: true })).toBeVisible();
  // README's picture, a copy of which is docs/stage.png.
  await stage.setViewportSize({ width: 1120, height: 860 });
  await stage.screenshot({ path: `${SHOTS}/readme-stage.png` });
  await bo.getByRole("button", { name: "Answer" }).click();
  await expect(bo.getByText("Hello Bo Lind", { exact: false }).first()).toBeVisible();
  await expect(bo).toHaveClass(/live/);
  await stage.keyboard.press("1");
  await expect(bo.getByText(/acknowledged/).first()).toBeVisible();

  await expect(page.locator("#head")).toHaveClass(/acknowledged/);
  await expect(page.locator("#head .now")).toContainText("Bo Lind has it");
  await expect(page.locator("#timeline")).toContainText("Acknowledged by Bo Lind");

  // What came after the page was opened came by itself and at once.
  told(
    await shown(),
    [
      /^Opened at sev1/,
      /^Step 1: Ana Ruiz/,
      /^Calling Ana Ruiz/,
      /^The phone of Ana Ruiz rings/,
      /^Ana Ruiz did not pick up/,
      /^Step 2: Bo Lind/,
      /^Calling Bo Lind/,
      /^The phone of Bo Lind rings/,
      /^The call to Bo Lind was picked up/,
      /^Acknowledged by Bo Lind/,
    ],
    4,
  );

  const incident = await demo.api<Incident>("/incidents/1");
  expect([incident.state, incident.acknowledged_by]).toEqual(["acknowledged", "bo"]);

  // The night goes on falling apart, and no phone rings any more.
  await demo.says(/The night is over/, 90_000);
  expect((await demo.calls()).map((call) => [call.number, call.status]).sort()).toEqual([
    [ANA, "no-answer"],
    [BO, "completed"],
  ]);
  const after = await demo.api<Incident>("/incidents/1");
  expect([after.state, after.alerts_count], "what came later joined the incident").toEqual(["acknowledged", 5]);
  await expect(page.locator("#timeline")).toContainText("Redis::CannotConnectError");
  expect(await page.evaluate(() => "shown" in window), "the timeline was never loaded again").toBe(true);
  await page.setViewportSize({ width: 1120, height: 1300 });
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: `${SHOTS}/readme-timeline.png` });
  await look(page, "night-over");
  await look(stage, "stage-after");
});
