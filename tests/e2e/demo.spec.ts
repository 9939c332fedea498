// The demo as a visitor sees it: a phone rings, 1 is pressed, and the room with its board stands in the workspace.
import { expect, type Incident, look, phone, signIn, test } from "./house";

test("one key press, and the room, the board and the timeline know it without a reload", async ({ demo, page, context }) => {
  test.setTimeout(240_000);
  const stage = await context.newPage();
  await stage.goto(demo.stage);
  await signIn(page, demo.signInLink());
  await page.getByRole("link", { name: /No space left on device/ }).click({ timeout: 30_000 });
  const timeline = page.locator("#timeline");
  await expect(timeline).toContainText("Opened at sev1");
  for (const each of [page, stage]) await each.evaluate(() => Object.assign(window, { untouched: true }));

  // The room is there while the phone still rings, and its board says that nobody has it.
  const ana = phone(stage, "Ana Ruiz");
  await expect(ana).toHaveClass(/ringing/);
  await stage.getByRole("link", { name: /^Slack/ }).click();
  const workspace = stage.getByRole("region", { name: "Slack workspace" });
  await workspace.getByRole("list", { name: "Rooms" }).getByRole("button", { name: /^# inc-1-/ }).click();
  await expect(workspace.getByRole("heading", { level: 2, name: /^# inc-1-/ })).toBeVisible();
  const board = workspace.locator(".pinned");
  await expect(board).toContainText("1 pinned");
  await expect(board).toContainText("No space left on device");
  await expect(board.getByRole("button", { name: "Acknowledge" })).toBeVisible();
  await look(stage, "demo-room-ringing");

  await stage.getByRole("link", { name: /^Phones/ }).click();
  await ana.getByRole("button", { name: "Answer" }).click();
  await expect(ana.getByText("Hello Ana Ruiz", { exact: false }).first()).toBeVisible();
  await stage.keyboard.press("1");
  await expect(ana.getByText(/acknowledged/).first()).toBeVisible();

  // The timeline shows each step, in a page that was not loaded again.
  await expect(page.locator("#head .now")).toContainText("Ana Ruiz has it");
  for (const step of ["The phone of Ana Ruiz rings", "The call to Ana Ruiz was picked up", "Acknowledged by Ana Ruiz"]) await expect(timeline).toContainText(step);

  // The board was edited where it is; it is still one message, and it is still pinned.
  await stage.getByRole("link", { name: /^Slack/ }).click();
  await expect(board).toContainText("Ana Ruiz has it");
  await expect(board).toContainText("1 pinned");
  await expect(board.getByRole("button", { name: "Acknowledge" })).toHaveCount(0);
  await expect(workspace.getByRole("log", { name: "Messages" })).toContainText("Acknowledged by Ana Ruiz");

  // What is done in the room is on the page, and what is done on the page is in the room.
  await workspace.getByPlaceholder(/Message #inc-1/).fill("/incident task Fail over to db-2");
  await stage.keyboard.press("Enter");
  await expect(page.locator("#board")).toContainText("Fail over to db-2");
  await page.locator("#take-1").click();
  await expect(board.getByRole("button", { name: "Done 1" })).toBeVisible();
  await look(stage, "demo-room");
  await look(page, "demo-incident");

  for (const each of [page, stage]) expect(await each.evaluate(() => "untouched" in window), "no page was loaded again").toBe(true);
  const incident = await demo.api<Incident>("/incidents/1");
  expect([incident.state, incident.acknowledged_by]).toEqual(["acknowledged", "ana"]);
});
