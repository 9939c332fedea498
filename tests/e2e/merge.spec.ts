// Incidents that are one, and one that is two, on the pages of those who say so.
import { expect, type Incident, look, signIn, test } from "./house";

test.use({
  more: `[[service]]
id = "shop"
name = "Shop"
policy = "platform"
depends_on = ["platform"]
group = { window = "10m" }
[[integration]]
id = "shop"
source = "generic"
service = "shop"
key = "e2e-key-shop"
`,
});

test("incidents are merged, taken back and split on their pages", async ({ house, page }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  const [disk, mail, web] = [await house.fires("The disk of db-3 is full"), await house.fires(`Mail waits ${"and waits ".repeat(9)}`), await house.fires("Pages are slow")];
  await page.goto(`${house.url}/incidents/${mail}`);
  const tool = (name: string) => page.locator(".tools details").filter({ has: page.getByText(name, { exact: true }).first() });
  const open = async (name: string) => await tool(name).locator("summary").click();
  await open("Merge");
  await look(page, "incident-merge");
  await tool("Merge").getByLabel("It is part of").selectOption(String(disk));
  await tool("Merge").getByRole("button", { name: "Merge" }).click();
  await expect(page.locator("#head")).toContainText(`Went into #${disk}`);
  await expect(page.locator("#timeline")).toContainText("Merged into");
  await expect(page.locator("#head .now")).toContainText("Merged by Ana Ruiz");
  await look(page, "incident-merged");
  expect((await house.api<Incident>(`/incidents/${mail}`)).state).toBe("resolved");

  // And back, by the button that is there for a day.
  await page.getByRole("button", { name: "Take the merge back" }).click();
  await expect(page.locator("#head")).not.toContainText("Went into");
  expect((await house.api<Incident>(`/incidents/${mail}`)).state).toBe("triggered");
  for (const number of [mail, web]) {
    await page.goto(`${house.url}/incidents/${number}`);
    await open("Merge");
    await tool("Merge").getByLabel("It is part of").selectOption(String(disk));
    await tool("Merge").getByRole("button", { name: "Merge" }).click();
    await expect(page.locator("#head")).toContainText(`Went into #${disk}`);
  }

  await page.locator("#head").getByRole("link", { name: `#${disk}` }).click();
  await expect(page.locator("#head")).toContainText(`Took in #${mail}#${web}`);
  await open("Split");
  await tool("Split").getByLabel("Pages are slow").check();
  await look(page, "incident-split");
  await tool("Split").getByRole("button", { name: "Split off" }).click();
  await expect(page.locator("#head")).toContainText("Split off");
  await expect(page.getByRole("heading", { level: 1, name: "Pages are slow" })).toBeVisible();
  await look(page, "incident-split-off");
});

test("what somebody has may be caused by what comes after it, and a button says that it is", async ({ house, page }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  const shop = await house.fires("Checkout fails", {}, "e2e-key-shop");
  await page.goto(`${house.url}/incidents/${shop}`);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.locator("#head .now")).toContainText("Ana Ruiz has it");
  const cause = await house.fires("The disk of db-3 is full");
  await expect(page.locator("#head"), "it comes by itself").toContainText(`May be caused by #${cause}`);
  await look(page, "incident-suspected");
  await page.getByRole("button", { name: `Merge into #${cause}` }).click();
  await expect(page.locator("#head")).toContainText(`Went into #${cause}`);
  expect((await house.api<Incident>(`/incidents/${cause}`)).alerts_count).toBe(2);
});
