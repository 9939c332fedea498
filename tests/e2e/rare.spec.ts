// What is rare under what is many, and what is noise: marked, ordered, and said what to do about.
import { expect, look, signIn, test } from "./house";

test("the rare alert is found under the noise, by keyboard too", async ({ house, page }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  for (let n = 0; n < 12; n += 1) await house.records(`The certificate of host ${n} ends in ${n} days`);
  await house.records("A backup took twice as long");
  await house.records("The certificate of host 99 ends in 9 days");
  await page.goto(`${house.url}/alerts`);
  const rarest = page.getByRole("link", { name: "Rarest first" });
  await rarest.focus();
  await page.keyboard.press("Enter");
  await expect(rarest).toHaveAttribute("aria-current", "true");
  await expect(page.locator("#recorded .title").first()).toContainText("A backup took twice as long");
  await look(page, "alerts-rare");

  const number = await house.fires("web-0 is down");
  for (let n = 1; n < 24; n += 1) await house.fires(`web-${n} is down`);
  await house.fires("The core switch is gone", { severity: "error" });
  for (let n = 24; n < 40; n += 1) await house.fires(`web-${n} is down`);
  await page.goto(`${house.url}/incidents/${number}`);
  await expect(page.locator("#alerts .title").first()).toContainText("The core switch is gone");
  await look(page, "incident-rare");
  await page.getByRole("link", { name: "Newest first" }).click();
  await expect(page.locator("#alerts .title").first()).toContainText("web-39 is down");
  await page.goto(`${house.url}/?sort=rare`);
  await look(page, "list-rare");
});

test("a monitor that nobody acts on is noise, with what to do about it", async ({ house, page }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  // Each of its own service's group: an end by the sender, and soon another.
  for (let n = 0; n < 4; n += 1) {
    const key = { dedup_key: `disk-${n}` };
    await house.fires(`Disk ${n} is ${90 + n} % full`, key);
    await house.fires(`Disk ${n} is ${90 + n} % full`, { ...key, state: "resolved" });
  }
  await house.fires(`A name that goes on and on, ${"for ever and ".repeat(9)}ever`);
  await page.goto(`${house.url}/noise`);
  const disks = page.locator(".noise li", { hasText: "Disk" });
  await expect(disks).toContainText("nobody acted on it");
  await disks.getByText("Make it low urgency").click();
  await expect(disks.locator("pre")).toContainText("[[route]]");
  await look(page, "noise-filled");
  await disks.getByRole("link", { name: /^Silence/ }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Silences" })).toBeVisible();
});
