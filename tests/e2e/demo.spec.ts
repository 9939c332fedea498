// The demo as a visitor sees it: a phone rings, 1 is pressed, and the room with its board stands in the workspace.
import { expect, type House, type Incident, look, record, signIn, test, told } from "./house";

interface Message {
  ts: string;
  text?: string;
  blocks?: unknown[];
}

/** Asks the staged Slack as Reveille does; what it shows on its page is one thing, what it holds another. */
async function slack<T>(demo: House, method: string, fields: Record<string, string>): Promise<T> {
  // As a form: like the real one, it reads JSON only where something is written.
  const headers = { Authorization: "Bearer xoxb-stage" };
  const answer = await fetch(`${demo.stage}/slack/api/${method}`, { method: "POST", headers, body: new URLSearchParams(fields) });
  const told = (await answer.json()) as T & { ok: boolean };
  expect(told, method).toMatchObject({ ok: true });
  return told;
}

/** The room of the incident and the one message pinned there. */
async function board(demo: House): Promise<{ room: string; pinned: Message }> {
  const { channels } = await slack<{ channels: { id: string; name: string }[] }>(demo, "conversations.list", {});
  const rooms = channels.filter((channel) => channel.name.startsWith("inc-1-"));
  expect(rooms, "one room").toHaveLength(1);
  const { items } = await slack<{ items: { message: Message }[] }>(demo, "pins.list", { channel: rooms[0]!.id });
  expect(items, "one message is pinned").toHaveLength(1);
  return { room: rooms[0]!.id, pinned: items[0]!.message };
}

test("one key press, and the room, the board and the timeline know it without a reload", async ({ demo, page, context }) => {
  test.setTimeout(300_000);
  const stage = await context.newPage();
  await stage.goto(demo.stage);
  await signIn(page, demo.signInLink());
  await page.getByRole("link", { name: /No space left on device/ }).click({ timeout: 30_000 });
  const timeline = page.locator("#timeline");
  await expect(timeline).toContainText("Opened at sev1");
  const shown = await record(page);
  await stage.evaluate(() => Object.assign(window, { untouched: true }));

  // The room is there while the phone still rings, and its board says that nobody has it.
  await expect(stage.locator(".phone.ringing").first()).toBeVisible();
  await stage.getByRole("link", { name: /^Slack/ }).click();
  const workspace = stage.getByRole("region", { name: "Slack workspace" });
  await workspace.getByRole("list", { name: "Rooms" }).getByRole("button", { name: /^# inc-1-/ }).click();
  await expect(workspace.getByRole("heading", { level: 2, name: /^# inc-1-/ })).toBeVisible();
  const pinned = workspace.locator(".pinned");
  await expect(pinned).toContainText("1 pinned");
  await expect(pinned).toContainText("No space left on device");
  await expect(pinned.getByRole("button", { name: "Acknowledge" })).toBeVisible();
  const before = await board(demo);

  // Both by mouse. Whose phone it is, the demo's policy says: on a busy machine it may be the next one's already.
  await stage.getByRole("link", { name: /^Phones/ }).click();
  const ringing = stage.locator(".phone.ringing").first();
  const name = ((await ringing.getAttribute("aria-label")) ?? "").replace("'s phone", "");
  await ringing.getByRole("button", { name: "Answer" }).click();
  const answered = stage.getByRole("region", { name: `${name}'s phone` });
  await expect(answered.getByText(`Hello ${name}`, { exact: false }).first()).toBeVisible();
  expect((await demo.api<Incident>("/incidents/1")).state, "picking up is no answer").toBe("triggered");
  await answered.getByRole("group", { name: "Keypad" }).getByRole("button", { name: /^1/ }).click();
  await expect(answered.getByText(/acknowledged/).first()).toBeVisible();

  // The timeline tells it, in a page that was not loaded again.
  await expect(page.locator("#head .now")).toContainText(`${name} has it`);
  await expect(timeline).toContainText(`Acknowledged by ${name}`);

  // The board was edited where it is: it is the same message, it is still pinned, and it says so.
  await stage.getByRole("link", { name: /^Slack/ }).click();
  await expect(pinned).toContainText(`${name} has it`);
  await expect(pinned.getByRole("button", { name: "Acknowledge" })).toHaveCount(0);
  await expect(workspace.getByRole("log", { name: "Messages" })).toContainText(`Acknowledged by ${name}`);
  const after = await board(demo);
  expect([after.room, after.pinned.ts]).toEqual([before.room, before.pinned.ts]);
  expect(JSON.stringify(after.pinned)).toContain(`${name} has it`);
  expect(JSON.stringify(before.pinned)).not.toContain(`${name} has it`);

  // What is done in the room is on the page, and what is done on the page is in the room.
  await workspace.getByPlaceholder(/Message #inc-1/).fill("/incident task Fail over to db-2");
  await stage.keyboard.press("Enter");
  await expect(page.locator("#board")).toContainText("Fail over to db-2");
  await page.locator("#take-1").click();
  await expect(pinned.getByRole("button", { name: "Done 1" })).toBeVisible();
  await expect(timeline).toContainText("Task 1 is taken");

  told(
    await shown(),
    [
      /^Opened at sev1/,
      new RegExp(`^The call to ${name} was picked up`),
      new RegExp(`^Acknowledged by ${name}`),
      /^Task 1.*: Fail over to db-2/,
      /^Task 1 is taken/,
    ],
    1,
  );
  expect(await stage.evaluate(() => "untouched" in window), "the stage was not loaded again").toBe(true);
  const incident = await demo.api<Incident>("/incidents/1");
  expect([incident.state, incident.acknowledged_by]).toEqual(["acknowledged", name === "Ana Ruiz" ? "ana" : "bo"]);
  await look(stage, "demo-room");
  await look(page, "demo-incident");
});
