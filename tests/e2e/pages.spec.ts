// Every page: what it says, to whom it is open, and how it bears what senders put into it.
import { execFileSync } from "node:child_process";

import { expect, fits, type House, type Incident, look, type Page, phone, signIn, SHOTS, test } from "./house";

const HOSTILE = [
  `<script>document.title = "taken over"</script><img src=x onerror="document.title='taken over'">`,
  "\u202Egnol dna nwod edispu si ti ,kcits ton od\u202C \u05E2\u05D1\u05E8\u05D9\u05EA & \"quotes\" 'single' {{ braces }}",
  `a_word_without_any_break_${"x".repeat(400)}`,
];

async function acknowledges(house: House, number: number): Promise<void> {
  await expect.poll(async () => (await house.api<Incident>(`/incidents/${number}`)).state).toBe("acknowledged");
}

test("every page in light and dark, wide and narrow, keeps nobody out", async ({ house, page, context }) => {
  test.setTimeout(240_000);
  const stage = await context.newPage();
  await stage.goto(house.stage);
  await expect(stage.getByRole("heading", { name: "No phones yet" })).toBeVisible();
  await look(stage, "stage-quiet");

  await page.goto(`${house.url}/`);
  await expect(page).toHaveURL(/\/sign-in$/);
  await look(page, "sign-in");
  const link = house.signInLink();
  await page.goto(link);
  await look(page, "sign-in-link");
  await signIn(page, link);

  const number = await house.fires("The disk of db-3 is full", { severity: "critical", url: "https://grafana.example.com/d/disks", labels: { host: "db-3" } });
  // Taken before any picture, for a phone does not ring for ever. Nothing is pressed: the incident stays as it is.
  const ana = phone(stage, "Ana Ruiz").or(stage.locator(".phone").first());
  await ana.getByRole("button", { name: "Answer" }).click();
  await expect(ana.getByText("Hello Ana Ruiz", { exact: false }).first()).toBeVisible();
  await look(stage, "stage-talking");
  await page.bringToFront();
  await page.goto(`${house.url}/incidents/${number}`);
  await expect(page.locator("#timeline")).toContainText("The phone of Ana Ruiz rings");
  await look(page, "incident-triggered");
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.locator("#head")).toHaveClass(/acknowledged/);
  await look(page, "incident-acknowledged");

  await house.fires("Latency of the front end is over 2 s", { severity: "error" });
  await house.fires("The certificate of *.example.com ends in 6 days", { severity: "warning" });
  await page.getByRole("button", { name: "Resolve" }).click();
  await expect(page.locator("#head")).toHaveClass(/resolved/);
  await look(page, "incident-resolved");
  await page.goto(house.url);
  await expect(page.locator("#incidents li")).toHaveCount(3);
  await look(page, "list-filled");
  await page.goto(`${house.url}/?state=resolved`);
  await expect(page.locator("#incidents li")).toHaveCount(1);
  await look(page, "list-resolved");

  await page.goto(`${house.url}/incidents/999`);
  await expect(page.getByRole("link", { name: "To the incidents" })).toBeVisible();
  await look(page, "not-found");
});

test("hostile titles stay words, and stay in their place", async ({ house, page, context }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  for (const [n, title] of HOSTILE.entries()) {
    const number = await house.fires(title, { dedup_key: `hostile-${n}` });
    await page.goto(`${house.url}/incidents/${number}`);
    const heading = page.getByRole("heading", { level: 1 });
    // The stage keeps the words; characters that only turn text around are dropped or contained.
    await expect(heading).toContainText(n === 0 ? "<script>" : n === 1 ? "{{ braces }}" : "a_word_without");
    await expect(page).not.toHaveTitle(/^taken over/);
    expect(await page.locator("main script, main img").count()).toBe(0);
    await look(page, `hostile-${n + 1}`);
  }
  await page.goto(house.url);
  await expect(page.locator("#incidents li")).toHaveCount(HOSTILE.length);
  await look(page, "hostile-list");
  const stage = await context.newPage();
  await stage.goto(house.stage);
  await stage.getByRole("button", { name: "Answer" }).first().click();
  await expect(stage.locator(".transcript")).toContainText(/Hello .*This is Reveille/);
  await expect(stage).not.toHaveTitle(/taken over/);
  await fits(stage);
});

test("the incident comes, rings, is answered and acknowledged by keyboard alone", async ({ house, page, context }) => {
  test.setTimeout(60_000);
  const tabTo = async (to: Page, name: RegExp, most = 40): Promise<void> => {
    for (let n = 0; n < most; n += 1) {
      await to.keyboard.press("Tab");
      const [label, ring] = await to.evaluate(() => {
        const held = document.activeElement as HTMLElement;
        return [held.getAttribute("aria-label") ?? held.textContent?.trim() ?? "", getComputedStyle(held).outlineStyle];
      });
      if (!name.test(label)) continue;
      expect(ring, `"${label}" shows that it has the focus`).not.toBe("none");
      return;
    }
    throw new Error(`no Tab reaches ${name}`);
  };

  await page.goto(house.signInLink());
  await tabTo(page, /^Sign in on this device/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Incidents" })).toBeVisible();
  await tabTo(page, /^Skip to the content/);
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();

  const first = await house.fires("db-3 is down");
  await expect(page.getByRole("link", { name: /db-3 is down/ })).toBeVisible();
  await tabTo(page, /db-3 is down/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "db-3 is down" })).toBeVisible();
  await tabTo(page, /^Acknowledge$/);
  await page.keyboard.press("Enter");
  await expect(page.locator("#head")).toHaveClass(/acknowledged/);
  await acknowledges(house, first);
  expect((await house.calls()).map((call) => call.status), "the ringing call was ended").toEqual(["canceled"]);
  await context.close();
});

test("keys lead to the fields and through the list, and do nothing by themselves", async ({ house, page }) => {
  await signIn(page, house.signInLink());
  const [first, second] = [await house.fires("db-3 is down"), await house.fires("db-4 is down")];
  await expect(page.locator("#incidents .incidents li"), "not the steps of an empty list").toHaveCount(2);
  await page.keyboard.press("j");
  await expect(page.getByRole("link", { name: /db-4 is down/ }), "the newest is first").toBeFocused();
  await page.keyboard.press("j");
  await expect(page.getByRole("link", { name: /db-3 is down/ })).toBeFocused();
  await page.keyboard.press("/");
  await expect(page.getByLabel("Words in the title")).toBeFocused();
  await page.keyboard.type("j/c?");
  await expect(page.getByLabel("Words in the title"), "in a field a key is a letter").toHaveValue("j/c?");

  await page.goto(`${house.url}/incidents/${first}`);
  await page.keyboard.press("t");
  await expect(page.getByLabel("Add a task")).toBeFocused();
  await page.keyboard.type("Fail over");
  await page.keyboard.press("Enter");
  await expect(page.locator("#board")).toContainText("Fail over");
  await page.locator("h1").click();
  await page.keyboard.press("n");
  await expect(page.getByLabel("Add a note")).toBeFocused();
  await page.locator("h1").click();
  await page.keyboard.press("a");
  await expect(page.getByRole("button", { name: "Acknowledge" })).toBeFocused();
  for (const number of [first, second]) expect((await house.api<Incident>(`/incidents/${number}`)).state).toBe("triggered");

  await page.keyboard.press("?");
  const keys = page.getByRole("dialog", { name: "On this page" });
  await expect(keys).toContainText("Add a task");
  await look(page, "keys");
  await keys.getByRole("button", { name: "Switch them off" }).click();
  await page.keyboard.press("t");
  await expect(page.getByLabel("Add a task"), "switched off").not.toBeFocused();
  await page.getByRole("button", { name: "Keyboard" }).click();
  await keys.getByRole("button", { name: "Switch them on" }).click();
  await page.keyboard.press("t");
  await expect(page.getByLabel("Add a task")).toBeFocused();
});

test("a phone is answered and a key pressed by keyboard alone", async ({ house, page }) => {
  const number = await house.fires("db-3 is down");
  await page.goto(house.stage);
  const device = page.locator(".device").first();
  await expect(page.locator(".phone.ringing")).toHaveCount(1);
  for (let n = 0; n < 20 && !(await device.evaluate((node) => node === document.activeElement)); n += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator(".transcript")).toContainText("Press 1 to acknowledge");
  await page.keyboard.press("1");
  await acknowledges(house, number);
});

test("without JavaScript an incident is read and acknowledged", async ({ house, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  await signIn(page, house.signInLink());
  const number = await house.fires("db-3 is down");
  await page.goto(house.url);
  await page.getByRole("link", { name: /db-3 is down/ }).click();
  await expect(page.locator("#timeline")).toContainText("Calling Ana Ruiz");
  await expect(page.locator("[data-zone]")).toHaveText("Times are UTC.");
  await fits(page);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.locator("#head .now")).toContainText("Ana Ruiz has it");
  await acknowledges(house, number);
  await page.screenshot({ path: `${SHOTS}/no-javascript.png`, fullPage: true });
  await context.close();
});

test("a sign-in link works once, and a used one says what to do", async ({ house, page, browser }) => {
  const link = house.signInLink();
  await signIn(page, link);
  const other = await browser.newContext();
  const stranger = await other.newPage();
  await stranger.goto(link);
  await expect(stranger.locator("main")).toContainText("used before");
  await expect(stranger.locator("main")).toContainText("reveille admin link");
  await look(stranger, "sign-in-used");
  await stranger.goto(house.url);
  await expect(stranger, "the used link let nobody in").toHaveURL(/\/sign-in$/);
  await other.close();

  // Out again, and the pages are closed.
  await page.goto(`${house.url}/me`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.goto(`${house.url}/`);
  await expect(page).toHaveURL(/\/sign-in$/);
});

test("the link written at the first start signs the administrator in", async ({ house, page }) => {
  await signIn(page, house.firstAdminLink());
});

test("an empty list says the next step, and the step works as written", async ({ house, page }) => {
  await signIn(page, house.signInLink());
  const command = await page.locator("pre code").first().innerText();
  expect(command).toContain(`${house.url}/hooks/generic/KEY`);
  execFileSync("sh", ["-c", command.replace("KEY", "e2e-key")], { stdio: "ignore" });
  await expect(page.getByRole("link", { name: /The first signal/ }), "it appears without a reload").toBeVisible();
});
