// The pages people work in: the board live in two browsers, declaring, on call, integrations, people, one's own.
import { expect, fits, type Incident, look, signIn, SHOTS, test } from "./house";

test("every page of the desk in light and dark, wide and narrow, keeps nobody out", async ({ house, page }) => {
  test.setTimeout(300_000);
  await page.goto(`${house.url}/sign-in`);
  await look(page, "sign-in-password");
  const link = house.signInLink();
  await page.goto(link);
  await look(page, "sign-in-choose");
  await page.getByLabel(/Choose a password/).fill("correct horse battery");
  await page.getByRole("button", { name: "Sign in on this device" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Incidents" })).toBeVisible();
  for (const path of ["oncall", "alerts", "integrations", "people", "me", "incidents/new"]) {
    await page.goto(`${house.url}/${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await look(page, path.replace("/", "-"));
  }

  await page.getByLabel("What is wrong").fill("Nobody can log in");
  await page.getByRole("button", { name: "Declare" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Nobody can log in" })).toBeVisible();
  for (const [title, owner] of [
    ["Fail over the database", "bo"],
    ["Tell the customers", "ana"],
    ["Look at the graphs", ""],
  ]) {
    await page.getByLabel("Add a task").fill(title!);
    await page.locator(".addtask select[name=owner]").selectOption(owner!);
    await page.locator(".addtask select[name=back]").selectOption("15m");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await expect(page.locator("#board")).toContainText(title!);
  }
  await page.locator("#more-1 summary").click();
  await page.locator("#on-1").fill("the hoster's support");
  await page.locator("#more-1").getByRole("button", { name: "Blocked" }).click();
  await expect(page.locator("#task-1")).toContainText("waits for the hoster's support");
  await page.locator("#drop-3").click();
  await expect(page.locator("#board-over")).toContainText("Done and dropped: 1");
  await look(page, "incident-board");
  await page.getByText("Page somebody", { exact: true }).click();
  await look(page, "incident-tools");

  await page.goto(`${house.url}/integrations`);
  await page.getByRole("button", { name: "Send a test signal to scripts" }).click();
  await expect(page.getByRole("status")).toContainText("was ignored, as it should be");
  await page.goto(`${house.url}/integrations`);
  await page.getByRole("button", { name: "Show the whole address of scripts" }).click();
  await expect(page.locator("pre code").first()).toContainText("/hooks/generic/e2e-key");
  await look(page, "integrations-shown");
});

test("two browsers see one board, and what one types outlives what the other does", async ({ house, page, browser }) => {
  await signIn(page, house.signInLink());
  const number = await house.fires("db-3 is down");
  await page.goto(`${house.url}/incidents/${number}`);
  const context = await browser.newContext();
  const other = await context.newPage();
  await signIn(other, house.signInLink("bo"));
  await other.goto(`${house.url}/incidents/${number}`);
  await page.getByLabel("Add a task").fill("Fail over");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(other.locator("#board"), "within two seconds, without a reload").toContainText("Fail over", { timeout: 2_000 });
  await other.locator("#more-1 summary").click();
  await other.locator("#on-1").fill("half a sen");
  await page.locator("#take-1").click();
  await expect(other.locator("#task-1")).toContainText("Ana Ruiz", { timeout: 2_000 });
  await expect(other.locator("#on-1")).toHaveValue("half a sen");
  await expect(other.locator("#on-1")).toBeFocused();
  await other.locator("#on-1").pressSequentially("tence");
  await other.locator("#more-1").getByRole("button", { name: "Blocked" }).click();
  await expect(page.locator("#task-1"), "and back").toContainText("waits for half a sentence", { timeout: 2_000 });
  await context.close();
});

test("without JavaScript the board is worked and an incident declared", async ({ house, browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  await signIn(page, house.signInLink());
  await page.getByRole("link", { name: "Declare an incident" }).click();
  await page.getByLabel("What is wrong").fill("Nobody can log in");
  await page.getByRole("button", { name: "Declare" }).click();
  await page.getByLabel("Add a task").fill("Fail over");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.locator("#take-1").click();
  await page.locator("#done-1").click();
  await expect(page.locator("#board-over")).toContainText("Done and dropped: 1");
  await page.locator("#board-over summary").click();
  await page.locator("#todo-1").click();
  await expect(page.locator("#task-1")).toContainText("todo");
  await fits(page);
  await page.screenshot({ path: `${SHOTS}/desk-no-javascript.png`, fullPage: true });
  await context.close();
});

test("a mail's link asks before it acts, and then the calls stop", async ({ house, page, browser }) => {
  test.setTimeout(180_000);
  const number = await house.fires("The disk of db-3 is full");
  await page.goto(`${house.stage}/#mail`);
  await page.getByText(`#${number} `, { exact: false }).first().click();
  const link = page.frameLocator("iframe").getByRole("link", { name: /Acknowledge/ });
  await expect(link).toBeVisible();
  await look(page, "stage-letter");

  // Whoever reads the mail is not signed in, and what only follows links acknowledges nothing.
  const context = await browser.newContext();
  const reader = await context.newPage();
  await reader.goto((await link.getAttribute("href"))!);
  await expect(reader.getByRole("heading", { level: 1, name: "Acknowledge as Ana Ruiz?" })).toBeVisible();
  await look(reader, "acknowledge");
  expect((await house.api<Incident>(`/incidents/${number}`)).state).toBe("triggered");
  await reader.getByRole("button", { name: "Acknowledge" }).click();
  await expect(reader.getByRole("heading", { level: 1, name: "Thank you" })).toBeVisible();
  await look(reader, "acknowledged");
  const incident = await house.api<Incident>(`/incidents/${number}`);
  expect([incident.state, incident.acknowledged_by]).toEqual(["acknowledged", "ana"]);
  await expect.poll(async () => (await house.calls()).filter((call) => call.status === "ringing").length).toBe(0);
  await context.close();
});
