// What can send here, from the catalogue to a sender's own page; the jobs that stay away; what is silenced.
import { expect, fits, look, type Page, signIn, SHOTS, test } from "./house";

const LONG = "the-nightly-export-of-every-customer-of-the-north";

test("each sender's guide is a page: nothing unfilled, nothing unrendered, nothing sticks out", async ({ house, page }) => {
  test.setTimeout(400_000);
  await signIn(page, house.signInLink());
  await page.goto(`${house.url}/senders`);
  const sources = await page.locator("details.sender").evaluateAll((all) => all.map((each) => each.id.replace("sender-", "")));
  expect(sources.length).toBeGreaterThanOrEqual(35);
  for (const source of sources) {
    const sender = page.locator(`#sender-${source}`);
    await sender.locator("summary").click();
    const words = await sender.locator(".guide").innerText();
    for (const place of ["{url}", "{server}", "{key}"]) expect(words, source).not.toContain(place);
    const prose = await sender.locator(".guide").evaluate((guide) => {
      const copy = guide.cloneNode(true) as Element;
      for (const code of copy.querySelectorAll("code, pre")) code.remove();
      return copy.textContent ?? "";
    });
    expect(prose, `${source}: Markdown that nobody rendered`).not.toMatch(/\*\*|`|\]\(|^#/m);
    await page.setViewportSize({ width: 1280, height: 800 });
    await fits(page);
    await sender.screenshot({ path: `${SHOTS}/guide-${source}.png` });
    await page.setViewportSize({ width: 390, height: 844 });
    await fits(page);
    await sender.locator("summary").click();
  }
  // The longest of them, as a phone and the dark show it.
  await page.goto(`${house.url}/senders?q=nagios`);
  await look(page, "senders-nagios");
  await page.goto(`${house.url}/senders?q=nothing-like-it`);
  await expect(page.locator("main")).toContainText("No sender is called that");
  await look(page, "senders-none");
});

test("the catalogue is searched, opened and copied from by keyboard alone", async ({ house, page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: house.url });
  await signIn(page, house.signInLink());
  await page.goto(`${house.url}/senders`);
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("prometheus");
  await page.keyboard.press("Enter");
  await expect(page.locator("details.sender[open] .copy").first()).toBeVisible();
  await page.getByRole("searchbox").focus();
  for (let n = 0; n < 10 && !(await focused(page)).startsWith("Copy"); n += 1) {
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle), await focused(page)).not.toBe("none");
  }
  await page.keyboard.press("Enter");
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("[[integration]]");
});

async function focused(page: Page): Promise<string> {
  return await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
}

test("what can send here is found, shown and tried, and an alert silenced, without JavaScript", async ({ house, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  await signIn(page, house.signInLink());
  await page.getByRole("link", { name: "Integrations" }).click();
  await page.getByRole("link", { name: "What can send here" }).click();
  await page.getByRole("searchbox").fill("uptime kuma");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page.locator("details[open] pre").first()).toContainText('source = "uptime-kuma"');
  await fits(page);
  await page.goto(`${house.url}/integrations/scripts`);
  await page.getByRole("button", { name: "Show the whole address of scripts" }).click();
  await expect(page.locator("pre.address")).toContainText("/hooks/generic/e2e-key");
  await page.getByRole("link", { name: "Try a body of scripts" }).click();
  await page.getByLabel("Body").fill('{"title":"The disk is full"}');
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("heading", { name: "No rule takes it" })).toBeVisible();
  await page.getByRole("link", { name: "Silences" }).click();
  await page.getByLabel("What matches").fill('host="db-3"');
  await page.getByLabel("Why").fill("The disk is exchanged");
  await page.getByRole("button", { name: "Silence", exact: true }).click();
  await expect(page.locator(".recorded")).toContainText("The disk is exchanged");
  await page.getByRole("button", { name: /^End now/ }).click();
  await expect(page.locator("main")).toContainText("expired");
  await fits(page);
  await context.close();
});

test.describe("a house with much in it", () => {
  const job = (id: string, period: string, grace: string): string => `
[[integration]]
id = "${id}"
source = "heartbeat"
service = "platform"
severity = "info"
key = "e2e-key-of-${id}"
period = "${period}"
grace = "${grace}"
`;
  test.use({
    more: `${job("certificates", "1s", "1d")}${job("mail-queue", "1d", "5m")}${job(LONG, "1s", "0s")}${job("flaps", "1s", "0s")}
[[integration]]
id = "guarded"
source = "generic"
service = "platform"
key = "e2e-key-of-the-guarded"
header = { name = "X-Token", value = "a-token-that-nobody-knows" }
[[integration]]
id = "${LONG}-by-json"
source = "generic"
service = "platform"
key = "e2e-key-of-the-long-one"
[[route]]
id = "databases"
match = ['host=~"db-.*"', 'severity="critical"']
service = "platform"
title = "{{ labels.host }}: {{ title }}"
[[route]]
id = "tests"
source = "generic"
expression = '"test" in title|lower'
record = true
`,
  });

  test("jobs that beat, are late, are missed and are back are told apart", async ({ house, page }) => {
    test.setTimeout(240_000);
    await signIn(page, house.signInLink());
    for (const id of ["certificates", "mail-queue", LONG, "flaps"]) expect((await fetch(`${house.url}/heartbeats/e2e-key-of-${id}`)).status).toBe(202);
    await page.goto(`${house.url}/heartbeats`);
    // What nobody is paged for comes to the page with its next load.
    const said = (id: string, words: string) =>
      expect.poll(async () => (await page.reload(), await page.locator(`#heartbeat-${id} .pulse`).innerText()), { timeout: 30_000 }).toBe(words);
    await said("backup", "waits for the first beat");
    await said("mail-queue", "beats");
    await said("flaps", "missed");
    await said(LONG, "missed");
    await said("certificates", "late, within its grace");
    await expect(page.locator("#heartbeats > section").first(), "what is missed comes first").toContainText("missed");
    await fetch(`${house.url}/heartbeats/e2e-key-of-flaps`);
    await expect.poll(async () => (await page.reload(), await page.locator("#heartbeat-flaps").innerText()), { timeout: 30_000 }).toMatch(/ for \d+/);
    await look(page, "heartbeats-missed");
  });

  test("long and hostile words of senders stay in their place on every page", async ({ house, page }) => {
    test.setTimeout(240_000);
    const hostile = `</bdi><script>document.title = "taken over"</script>{{ braces }}${"x".repeat(600)}`;
    await signIn(page, house.signInLink());
    await house.fires(hostile, { labels: { host: "y".repeat(250), "<b>": "<img src=x onerror=alert(1)>" } });
    await house.fires(`A short one, then ${"many words ".repeat(60)}`, { dedup_key: "words" });
    expect((await fetch(`${house.url}/hooks/generic/e2e-key-of-the-guarded`, { method: "POST", body: "{}" })).status).toBe(401);

    await page.goto(`${house.url}/silences`);
    for (const [matchers, why] of [
      ['alertname=~".*disk.*", host!="db-3"', "The hoster exchanges a rack of disks until noon"],
      [`title="${"z".repeat(200)}"`, `<script>document.title = "taken over"</script>${"w".repeat(200)}`],
    ]) {
      await page.getByLabel("What matches").fill(matchers!);
      await page.getByLabel("Why").fill(why!);
      await page.getByRole("button", { name: "Silence", exact: true }).click();
      await expect(page.locator(".recorded")).toContainText(why!.slice(0, 40));
    }
    await page.getByRole("button", { name: /^End now: The hoster/ }).click();
    await expect(page.locator("main")).toContainText("expired");
    await look(page, "silences");

    await page.goto(`${house.url}/integrations`);
    await expect(page.locator(".refused")).toContainText("1 message was refused");
    await look(page, "integrations-many");
    await page.getByRole("link", { name: "guarded", exact: true }).click();
    await expect(page.locator("main")).toContainText("header");
    await look(page, "integration-refused");
    await page.goto(`${house.url}/integrations/scripts`);
    await page.locator(".samples summary").first().click();
    await look(page, "integration-hostile");
    await page.goto(`${house.url}/integrations/backup`);
    await look(page, "integration-heartbeat");

    await page.goto(`${house.url}/route?integration=scripts`);
    await page.getByText("Take one of the last signals of").click();
    await look(page, "route-samples");
    await page.getByLabel("Body").fill(JSON.stringify({ title: hostile, severity: "critical", labels: { host: `db-${"y".repeat(250)}` } }));
    await page.getByRole("button", { name: "Try it" }).click();
    await expect(page.getByRole("heading", { name: "Rule databases takes it" })).toBeVisible();
    await look(page, "route-hostile");
    for (const path of ["alerts", "silences", "integrations", "integrations/scripts", "route?integration=scripts"]) {
      await page.goto(`${house.url}/${path}`);
      await expect(page).not.toHaveTitle(/^taken over/);
      expect(await page.locator("main script, main img").count()).toBe(0);
    }
  });
});
