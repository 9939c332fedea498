// The pages people work in: the board live in two browsers, declaring, on call, integrations, people, one's own.
import { expect, fits, type Incident, look, signIn, SHOTS, test } from "./house";

test("every page of the desk in light and dark, wide and narrow, keeps nobody out", async ({ house, page, browser }) => {
  test.setTimeout(400_000);
  await page.goto(`${house.url}/sign-in`);
  await look(page, "sign-in-password");
  await page.getByLabel("Your id or mail address").fill("ana");
  await page.getByLabel("Password", { exact: true }).fill("not this one");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("do not go together");
  await look(page, "sign-in-refused");
  await page.goto(house.signInLink());
  await look(page, "sign-in-choose");
  await page.getByLabel(/Choose a password/).fill("correct horse battery");
  await page.getByRole("button", { name: "Sign in on this device" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Incidents" })).toBeVisible();
  await house.records("The certificate of *.example.com ends in 20 days");
  for (const path of ["oncall", "alerts", "noise", "silences", "maintenance", "changes", "heartbeats", "me", "incidents/new", "api"]) {
    await page.goto(`${house.url}/${path}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await look(page, path.replace("/", "-"));
  }
  await page.getByText("/api/v1/incidents", { exact: true }).last().click();
  await expect(page.getByText(`-d '{"title":"The shop is slow"}'`).first()).toBeVisible();
  await look(page, "api-open");

  await page.goto(`${house.url}/integrations`);
  await look(page, "integrations");
  await page.getByRole("link", { name: "scripts", exact: true }).click();
  await page.getByRole("button", { name: "Send a test signal to scripts" }).click();
  await expect(page.getByRole("status")).toContainText("was ignored, as it should be");
  await look(page, "integration");
  await page.getByRole("button", { name: "Show the whole address of scripts" }).click();
  await expect(page.locator("pre code").first()).toContainText("/hooks/generic/e2e-key");
  await look(page, "integration-shown");
  await page.goto(`${house.url}/senders`);
  await look(page, "senders");
  await page.getByRole("searchbox").fill("datadog");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page.locator("details[open] pre code").first()).toContainText('source = "datadog"');
  await look(page, "senders-found");
  await page.goto(`${house.url}/integrations/scripts`);
  await page.getByRole("link", { name: "Try a body of scripts" }).click();
  await page.getByLabel("Body").fill('{"title":"The disk is full","dedup_key":"disk","labels":{"host":"db-3"}}');
  await look(page, "route");
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("heading", { name: "No rule takes it" })).toBeVisible();
  await look(page, "route-tried");

  // Who is not an administrator is told so; a page that is none, and a link that is too old, say the next step.
  const context = await browser.newContext();
  const other = await context.newPage();
  await signIn(other, house.signInLink("bo"));
  await other.goto(`${house.url}/people`);
  await expect(other.getByRole("heading", { level: 1, name: "Not allowed" })).toBeVisible();
  await look(other, "not-allowed");
  await other.goto(`${house.url}/acknowledge/nothing-like-it`);
  await expect(other.getByRole("heading", { level: 1, name: "This link is over" })).toBeVisible();
  await look(other, "link-too-old");
  await context.close();
});

test("a house that nobody has furnished says the next step on every page", async ({ bare, page }) => {
  test.setTimeout(240_000);
  await signIn(page, bare.firstAdminLink());
  await look(page, "list-empty");
  for (const [path, next] of [
    ["oncall", "There is no schedule yet"],
    ["alerts", "Nothing is recorded here"],
    ["noise", "Nothing has fired in an incident"],
    ["silences", "Nothing is silenced"],
    ["maintenance", "No maintenance is planned"],
    ["changes", "No change is on record yet"],
    ["heartbeats", "No job is watched yet"],
    ["integrations", "Nothing can alert yet"],
    ["route", "Nothing can alert yet"],
    ["people", "Nobody is configured yet"],
    ["incidents/new", "No service is configured yet"],
    ["me", "You have none yet, and sign in by one-time links"],
  ] as const) {
    await page.goto(`${bare.url}/${path}`);
    await expect(page.locator("main")).toContainText(next);
    await look(page, `${path.replace("/", "-")}-empty`);
  }
});

test("a board is worked, and every tool of an incident opened", async ({ house, page }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  await house.changes("shop 4.2 is out", { url: "https://ci.example.com/builds/4711" });
  await house.changes(`new sign-in switched on for ${"everybody ".repeat(12)}`);
  await page.goto(`${house.url}/changes`);
  await expect(page.locator("#changes")).toContainText("shop 4.2 is out");
  await look(page, "changes-filled");
  await page.goto(`${house.url}/incidents/new`);
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
  await expect(page.locator("#changed"), "what was changed before it").toContainText("shop 4.2 is out");
  await look(page, "incident-board");
  const tools = page.locator(".tools details");
  for (let n = 0; n < (await tools.count()); n += 1) {
    await tools.nth(n).locator("summary").click();
    await expect(tools.nth(n).locator("form")).toBeVisible();
    await fits(page);
  }
  // All at once, as nobody has them, to be looked at.
  await page.evaluate(() => {
    for (const each of document.querySelectorAll("details")) {
      each.removeAttribute("name");
      each.open = true;
    }
  });
  await look(page, "incident-tools");
});

test("somebody is invited by mail, says how they are reached, and tries their phone", async ({ house, page, browser }) => {
  test.setTimeout(240_000);
  await signIn(page, house.signInLink());
  await page.goto(`${house.url}/people`);
  await expect(page.locator(".recorded")).toContainText("cannot be reached");
  await look(page, "people");
  await page.getByRole("button", { name: "Make a sign-in link for Bo Lind" }).click();
  await expect(page.locator("pre code")).toContainText(`${house.url}/sign-in/`);
  await look(page, "people-link");
  await page.getByRole("button", { name: "Mail a sign-in link to Cy Marsh" }).click();
  await expect(page.getByRole("status")).toContainText("on its way to cy@example.com");
  await expect(page.locator("pre"), "a mailed link is not shown").toHaveCount(0);

  const context = await browser.newContext();
  const cy = await context.newPage();
  await cy.goto(`${house.stage}/#mail`);
  await cy.getByText("Your invitation to Reveille").first().click();
  const link = cy.frameLocator("iframe").getByRole("link", { name: "Sign in" });
  await expect(link).toBeVisible();
  await look(cy, "stage-invitation");
  await cy.goto((await link.getAttribute("href"))!);
  await expect(cy.getByRole("link", { name: "Save the calling numbers" })).toHaveAttribute("href", "/reveille.vcf");
  await cy.getByLabel(/Choose a password/).fill("correct horse battery");
  await cy.getByRole("button", { name: "Sign in on this device" }).click();
  await expect(cy.getByRole("heading", { level: 1, name: "Incidents" })).toBeVisible();

  await cy.getByRole("link", { name: "Cy Marsh" }).click();
  await expect(cy.locator("main")).toContainText("Nobody can reach you yet");
  await cy.getByLabel("Number or address").fill("+44 20 0000 0003");
  await cy.locator("form[action='/me/contacts']").getByRole("button", { name: "Add" }).click();
  await expect(cy.getByRole("status")).toContainText("Your contacts are saved");
  await cy.getByLabel("Calls, texts and mail in").selectOption("fr");
  await cy.getByLabel("Your clock").fill("Europe/London");
  await cy.getByRole("button", { name: "Save", exact: true }).click();
  await expect(cy.getByRole("status")).toContainText("language and time zone are saved");
  const own = async () => (await cy.request.get(`${house.url}/me`)).text();
  await expect.poll(own, { message: "in force" }).toContain("+442000000003");
  await expect.poll(own, { message: "in force too, a moment later" }).toContain('value="Europe/London"');
  await cy.goto(`${house.url}/me`);
  await expect(cy.getByLabel("Your clock")).toHaveValue("Europe/London");
  await look(cy, "me-own");

  // The whole real way, and nobody else is called.
  await cy.getByRole("button", { name: "Test my phone" }).click();
  await expect(cy.getByRole("heading", { level: 1, name: "Test page for Cy Marsh" })).toBeVisible();
  const stage = await context.newPage();
  await stage.goto(house.stage);
  const mine = stage.locator(".phone");
  await expect(mine, "nobody else was ever called").toHaveCount(1);
  await expect(mine).toContainText("+442000000003");
  await mine.getByRole("button", { name: "Answer" }).click();
  await expect(mine.locator(".transcript")).toContainText("Bonjour Cy Marsh");
  await mine.getByRole("group", { name: "Keypad" }).getByRole("button", { name: /^1/ }).click();
  await expect(cy.locator("#head .now"), "seen without a reload").toContainText("Cy Marsh has it");
  expect((await house.calls()).map((call) => call.number)).toEqual(["+442000000003"]);
  await cy.goto(house.url);
  await expect(cy.locator("#incidents"), "a test stays out of the list").not.toContainText("Test page");
  await context.close();
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
  await page.getByLabel("Add a note").fill("The first customers wrote at noon");
  await page.getByLabel("If it was earlier").fill("12:00");
  await page.getByRole("button", { name: "Add the note" }).click();
  await expect(page.locator("#timeline")).toContainText("(of 12:00:00 UTC): The first customers wrote at noon");
  await fits(page);
  await page.screenshot({ path: `${SHOTS}/desk-no-javascript.png`, fullPage: true });
  await context.close();
});

test("a mail's link asks before it acts, and then the calls stop", async ({ house, page, browser }) => {
  test.setTimeout(240_000);
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
