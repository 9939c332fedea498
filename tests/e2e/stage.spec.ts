// The stage's page by itself: texts, mail and the workspace, with a small server in the place of Reveille.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";

import { expect, look, type Page, Stage, test } from "./house";

/** What the stage sends home: the path, the form, and an answer to give. */
class Home {
  readonly asked: { path: string; form: URLSearchParams }[] = [];
  answer: { type: string; body: string } = { type: "text/plain", body: "" };
  private constructor(private readonly server: Server) {}

  static async open(): Promise<Home> {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        home.asked.push({ path: request.url ?? "", form: new URLSearchParams(body) });
        response.writeHead(200, { "Content-Type": home.answer.type }).end(home.answer.body);
      });
    });
    const home = new Home(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return home;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const plain = (text: string): object => ({ type: "plain_text", text });
const HOSTILE = `<script>document.title="taken"</script> & "quotes" *bold* ${"x".repeat(200)}`;
const escaped = (words: string): string => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A room as an incident has it: a board that is pinned, a topic, buttons. */
async function furnish(stage: Stage): Promise<void> {
  const room = ((await stage.slack("conversations.create", { name: "inc-42-db-3-is-full" })) as { channel: { id: string } }).channel.id;
  await stage.slack("conversations.invite", { channel: room, users: "U0ANA,U0BO" });
  await stage.slack("conversations.setTopic", { channel: room, topic: "sev1 · lead <@U0ANA> · <https://reveille.example.com/incidents/42|timeline>" });
  const board = [
    { type: "header", text: plain("#42 The disk of db-3 is full") },
    { type: "section", fields: [{ type: "mrkdwn", text: "*Severity*\n:red_circle: sev1" }, { type: "mrkdwn", text: "*Lead*\n<@U0ANA>" }] },
    { type: "section", text: { type: "mrkdwn", text: "1. `doing` free some space <@U0BO>, 15m\n2. ~todo~ *rotate logs*" } },
    { type: "actions", block_id: "verbs", elements: [
      { type: "button", action_id: "ack", text: plain("Acknowledge"), style: "primary", value: "42" },
      { type: "button", action_id: "resolve", text: plain("Resolve"), style: "danger", value: "42" },
      { type: "users_select", action_id: "lead", placeholder: plain("Give the lead to") },
    ] },
    { type: "context", elements: [{ type: "mrkdwn", text: "Opened <!date^1438138800^{time}|03:00> by rollbar" }] },
  ];
  const { ts } = (await stage.slack("chat.postMessage", { channel: room, text: "board", blocks: board })) as { ts: string };
  await stage.slack("pins.add", { channel: room, timestamp: ts });
  await stage.slack("bookmarks.add", { channel_id: room, title: "Timeline", type: "link", link: "https://reveille.example.com/incidents/42" });
  await stage.slack("chat.postMessage", { channel: room, text: `03:02 ${escaped(HOSTILE)}` });
  await stage.slack("reactions.add", { channel: room, name: "eyes", timestamp: ts });
}

/** One mail, by hand. */
async function mail(smtp: string): Promise<void> {
  const { hostname, port } = new URL(smtp.replace("smtp:", "http:"));
  const lines = ["EHLO e2e", "MAIL FROM:<reveille@example.com>", "RCPT TO:<bo@example.com>", "DATA"];
  const body =
    "From: Reveille <reveille@example.com>\r\nTo: bo@example.com\r\nSubject: #42 The disk of db-3 is full\r\nDate: Wed, 29 Jul 2015 03:00:00 +0000\r\n" +
    "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
    "db-3 is full. Answer at https://reveille.example.com/incidents/42.\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
    "<h1>db-3 is full</h1><p><a href=\"https://reveille.example.com/incidents/42\">Acknowledge</a></p>\r\n--b--\r\n.";
  await new Promise<void>((done, fail) => {
    const socket = connect(Number(port), hostname);
    socket.on("error", fail);
    socket.on("data", (chunk) => {
      const code = /(\d{3}) [^\r\n]*\r\n$/.exec(chunk.toString())?.[1];
      if (code === undefined) return;
      if (code === "354") socket.write(`${body}\r\n`);
      else if (lines.length > 0) socket.write(`${lines.shift()}\r\n`);
      else socket.end("QUIT\r\n", () => done());
    });
  });
}

const untouched = async (page: Page): Promise<void> => expect(page).toHaveTitle(/Stage/);

test("texts are read and answered, and mail is opened", async ({ page }) => {
  test.setTimeout(240_000);
  const home = await Home.open();
  const stage = await Stage.open(home.url);
  try {
    await page.goto(stage.url);
    await stage.text("+33100000001", "#42 sev1: The disk of db-3 is full. Answer 1 to acknowledge. https://reveille.example.com/incidents/42");
    const thread = page.locator(".texts").first();
    await expect(thread.getByText("The disk of db-3 is full")).toBeVisible();
    await expect(thread.getByRole("link")).toHaveAttribute("href", "https://reveille.example.com/incidents/42");
    home.answer = { type: "text/xml", body: "<Response><Message>Acknowledged #42.</Message></Response>" };
    await thread.getByPlaceholder("Answer by text").fill("ack 42");
    await thread.getByRole("button", { name: "Send" }).click();
    await expect(thread.getByText("Acknowledged #42.")).toBeVisible();
    expect(home.asked[0]?.path).toBe("/callbacks/sms");
    expect(home.asked[0]?.form.get("Body")).toBe("ack 42");
    home.answer = { type: "text/plain", body: "" };
    await thread.getByRole("button", { name: /STOP/ }).click();
    await expect(thread.getByText("Has answered STOP")).toBeVisible();
    await look(page, "stage-texts");

    await mail(stage.smtp);
    await page.getByRole("link", { name: "Mail (1)" }).click();
    await page.getByText("#42 The disk of db-3 is full").click();
    await expect(page.frameLocator("iframe").getByRole("link", { name: "Acknowledge" })).toBeVisible();
    await expect(page.getByLabel("The text of the mail").getByRole("link")).toHaveAttribute("href", "https://reveille.example.com/incidents/42");
    await look(page, "stage-mail");
    await untouched(page);
  } finally {
    await page.close();
    await stage.close();
    home.close();
  }
});

test("phones ring, side by side", async ({ page }) => {
  const home = await Home.open();
  const stage = await Stage.open(home.url);
  try {
    await page.goto(stage.url);
    await stage.call("+33100000001", "Hello Ana Ruiz. This is Reveille.");
    await stage.call("+46100000002", "Hello Bo Lind. This is Reveille.");
    await expect(page.locator(".phone.ringing")).toHaveCount(2);
    await expect(page).toHaveTitle(/Ringing/);
    await look(page, "stage-ringing");
    await page.getByRole("button", { name: "Decline" }).first().click();
    await expect(page.locator(".phone.ringing")).toHaveCount(1);
  } finally {
    await page.close();
    await stage.close();
    home.close();
  }
});

test("the workspace is used by mouse and by keyboard", async ({ page }) => {
  test.setTimeout(240_000);
  const home = await Home.open();
  const stage = await Stage.open(home.url);
  try {
    await page.goto(`${stage.url}/#slack`);
    await expect(page.getByRole("heading", { name: "# incidents" })).toBeVisible();
    await furnish(stage);
    await page.getByRole("button", { name: "# inc-42-db-3-is-full" }).click();
    const messages = page.getByRole("log", { name: "Messages" });
    await expect(messages.getByText("free some space @bo")).toBeVisible();
    await expect(page.locator(".pinned")).toContainText("1 pinned");
    await expect(page.locator(".topic")).toContainText("lead @ana");
    await expect(messages).toContainText('<script>document.title="taken"</script>');
    await look(page, "stage-slack");

    home.answer = { type: "application/json", body: JSON.stringify({ response_type: "ephemeral", text: "*ana* is first, then _bo_." }) };
    await page.getByPlaceholder(/Message #inc-42/).fill("/incident oncall");
    await page.keyboard.press("Enter");
    await expect(messages.getByText("Only visible to you")).toBeVisible();
    expect(home.asked.at(-1)?.form.get("text")).toBe("oncall");
    expect(home.asked.at(-1)?.form.get("user_id")).toBe("U0ANA");
    await page.getByLabel("Who types").selectOption("U0BO");
    await expect(messages.getByText("Only visible to you")).toHaveCount(0);

    home.answer = { type: "text/plain", body: "" };
    await messages.getByRole("button", { name: "Acknowledge" }).click();
    await expect.poll(() => home.asked.at(-1)?.path).toBe("/slack/interactions");
    const payload = JSON.parse(home.asked.at(-1)?.form.get("payload") ?? "{}") as { user: { id: string }; actions: { action_id: string }[] };
    expect([payload.user.id, payload.actions[0]?.action_id]).toEqual(["U0BO", "ack"]);
    await messages.getByLabel("Give the lead to").selectOption("U0EVA");
    await expect.poll(() => home.asked.at(-1)?.form.get("payload") ?? "").toContain('"selected_user":"U0EVA"');

    await page.getByPlaceholder(/Message #inc-42/).fill("@reveille who");
    await page.keyboard.press("Enter");
    await expect.poll(() => home.asked.at(-1)?.path).toBe("/slack/events");

    // A dialogue, opened by the trigger that a command carries.
    await page.getByRole("button", { name: "/incident help" }).click();
    await expect.poll(() => home.asked.at(-1)?.form.get("text")).toBe("help");
    const trigger = home.asked.at(-1)?.form.get("trigger_id");
    const field = (block_id: string, label: string, element: object): object => ({ type: "input", block_id, label: plain(label), element });
    await stage.slack("views.open", { trigger_id: trigger, view: { type: "modal", callback_id: "declare", title: plain("Declare an incident"), submit: plain("Declare"), blocks: [
      field("title", "What is wrong?", { type: "plain_text_input", action_id: "text" }),
      field("severity", "How bad is it?", { type: "static_select", action_id: "pick", options: [{ text: plain("sev1"), value: "1" }, { text: plain("sev2"), value: "2" }] }),
    ] } });
    const dialog = page.getByRole("dialog", { name: "Declare an incident" });
    await dialog.getByLabel("What is wrong?").fill("The site is slow");
    await dialog.getByLabel("How bad is it?").selectOption("2");
    await look(page, "stage-dialogue");
    await dialog.getByRole("button", { name: "Declare" }).click();
    await expect(dialog).toHaveCount(0);
    expect(home.asked.at(-1)?.form.get("payload")).toContain('"value":"The site is slow"');

    await page.getByLabel("Slack's Web API").selectOption({ label: "429 for five minutes" });
    await expect(page.getByRole("status").filter({ hasText: "Slack: 429" })).toBeVisible();
    expect((await stage.slackAnswer("auth.test", {})).status).toBe(429);
    await page.getByRole("button", { name: "Put it right" }).click();
    await expect.poll(async () => (await stage.slackAnswer("auth.test", {})).status).toBe(200);
    await untouched(page);
  } finally {
    await page.close();
    await stage.close();
    home.close();
  }
});
