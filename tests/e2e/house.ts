// A Reveille of a story's own: the binary, its data in a fresh folder, free ports, and the staged phones beside it.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, type Locator, type Page, test as base, expect } from "@playwright/test";

const HERE = dirname(fileURLToPath(import.meta.url));
const BIN = process.env["REVEILLE_BIN"] ?? join(HERE, "../../target/debug/reveille");
export const SHOTS = join(HERE, "shots");
const KEY = "e2e-key";
const ANA = "+33100000001";
const BO = "+46100000002";

/** The account that `reveille stage` answers to. */
const STAGE_ACCOUNT = "AC00000000000000000000000000000000";

export interface Incident {
  number: number;
  title: string;
  state: string;
  acknowledged_by: string | null;
  alerts_count: number;
}

async function freePort(): Promise<number> {
  return await new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address && typeof address === "object" ? done(address.port) : fail(new Error("no port"))));
    });
  });
}

/** One process of the binary, and what it has printed so far. */
class Process {
  text = "";
  private readonly child: ChildProcess;
  private readonly over: Promise<void>;
  private ended = false;

  constructor(folder: string, args: string[]) {
    this.child = spawn(BIN, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, REVEILLE_URL: "", REVEILLE_TOKEN: "" } });
    const keep = (chunk: Buffer): void => void (this.text += chunk.toString());
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
    this.over = new Promise((done) =>
      this.child.once("close", () => {
        this.ended = true;
        done();
      }),
    );
  }

  /** What the first group of `pattern` is, once it has been printed. */
  async says(pattern: RegExp, timeout = 15_000): Promise<string> {
    await expect
      .poll(() => (this.ended ? `ended: ${this.text}` : pattern.test(this.text)), { timeout, message: `${pattern} is printed` })
      .toBe(true);
    return pattern.exec(this.text)?.[1] ?? "";
  }

  async stop(): Promise<void> {
    if (!this.ended) this.child.kill("SIGTERM");
    await this.over;
  }
}

/** The whole of it. */
export class House {
  private constructor(
    readonly folder: string,
    readonly url: string,
    readonly stage: string,
    private readonly link: string,
    private readonly processes: Process[],
    private readonly database: string,
  ) {}

  /** A server that was started and told nothing: what somebody sees who has just installed it. */
  static async bare(): Promise<House> {
    const folder = mkdtempSync(join(tmpdir(), "reveille-e2e-"));
    const port = await freePort();
    const server = new Process(folder, ["serve", "--listen", `127.0.0.1:${port}`]);
    await server.says(/Reveille listens on/);
    return new House(folder, `http://127.0.0.1:${port}`, "", "", [server], "var/reveille.db");
  }

  /** A server and a stage where nothing has happened. Ana is called and mailed first, Bo called 30 s later; Cy keeps their own ways. `more` ends the configuration. */
  static async quiet(more = ""): Promise<House> {
    const folder = mkdtempSync(join(tmpdir(), "reveille-e2e-"));
    const [port, stagePort] = [await freePort(), await freePort()];
    const [url, stage] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${stagePort}`];
    const phones = new Process(folder, ["stage", "--listen", `127.0.0.1:${stagePort}`, "--smtp", "127.0.0.1:0", "--reveille", url]);
    const smtp = await phones.says(/"(smtp:[^"]+)"/);
    await phones.says(/The stage is set/);
    writeFileSync(
      join(folder, "reveille.toml"),
      `[server]
public_url = "${url}"
[twilio]
account_sid = "${STAGE_ACCOUNT}"
auth_token  = "stage"
from        = "+15005550006"
api_url     = "${stage}"
[smtp]
url  = "${smtp}"
from = "reveille@example.com"
[[user]]
id = "ana"
name = "Ana Ruiz"
admin = true
contacts = [{ id = "phone", kind = "voice", to = "${ANA}" }, { id = "mail", kind = "email", to = "ana@example.com" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }, { urgency = "high", after = "0s", contact = "mail" }]
[[user]]
id = "bo"
name = "Bo Lind"
contacts = [{ id = "phone", kind = "voice", to = "${BO}" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]
[[user]]
id = "cy"
name = "Cy Marsh"
email = "cy@example.com"
[[schedule]]
id = "platform"
timezone = "Europe/Paris"
rotations = [{ members = ["ana", "bo", "cy"], every = "2d", handoff = "09:00", start = "2026-01-05" }]
[[policy]]
id = "platform"
steps = [{ notify = ["user:ana"], escalate_after = "30s" }, { notify = ["user:bo"], escalate_after = "30s" }]
[[service]]
id = "platform"
name = "Hosting platform"
policy = "platform"
group = { window = "0s" }
[[integration]]
id = "scripts"
source = "generic"
service = "platform"
key = "${KEY}"

[[integration]]
id = "backup"
source = "heartbeat"
service = "platform"
key = "${KEY}-backup"
period = "1d"
${more}`,
    );
    const server = new Process(folder, ["serve", "--config", "reveille.toml", "--listen", `127.0.0.1:${port}`]);
    await server.says(/Reveille listens on/);
    return new House(folder, url, stage, "", [server, phones], "var/reveille.db");
  }

  /** `reveille demo`, as a visitor starts it. */
  static async demo(): Promise<House> {
    const folder = mkdtempSync(join(tmpdir(), "reveille-e2e-"));
    const [port, stagePort] = [await freePort(), await freePort()];
    const demo = new Process(folder, ["demo", "--listen", `127.0.0.1:${port}`, "--stage-listen", `127.0.0.1:${stagePort}`]);
    const stage = await demo.says(/phones\s+(http:\S+)/);
    const link = await demo.says(/timeline\s+(http:\S+)/);
    return new House(folder, new URL(link).origin, stage, link, [demo], "var/demo/reveille.db");
  }

  async close(): Promise<void> {
    for (const each of this.processes) await each.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Waits for something the first process prints. */
  async says(pattern: RegExp, timeout: number): Promise<string> {
    return await this.processes[0]!.says(pattern, timeout);
  }

  private run(...args: string[]): string {
    return execFileSync(BIN, args, { cwd: this.folder, encoding: "utf8" }).trim();
  }

  /** A one-time sign-in link: the printed one of a demo, else a new one. */
  signInLink(user = "ana"): string {
    return this.link || this.run("admin", "link", user, "--database", this.database);
  }

  /** The link that the first start wrote. */
  firstAdminLink(): string {
    return readFileSync(join(this.folder, "var/first-admin-link"), "utf8").trim();
  }

  private token = "";

  async api<T>(path: string): Promise<T> {
    this.token ||= this.run("token", "create", "e2e", "--scope", "admin", "--database", this.database);
    const answer = await fetch(`${this.url}/api/v1${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    expect(answer.status, path).toBe(200);
    return (await answer.json()) as T;
  }

  /** A signal of a script; the incident's number. */
  async fires(title: string, more: Record<string, unknown> = {}, key = KEY): Promise<number> {
    const answer = await fetch(`${this.url}/hooks/generic/${key}`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=5" },
      body: JSON.stringify({ title, severity: "critical", ...more }),
    });
    expect(answer.status).toBe(202);
    const { results } = (await answer.json()) as { results: { incident: number }[] };
    return results[0]!.incident;
  }

  /** A signal that is written down and wakes nobody. */
  async records(title: string): Promise<void> {
    const answer = await fetch(`${this.url}/hooks/generic/${KEY}`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=5" },
      body: JSON.stringify({ title, severity: "info" }),
    });
    expect(await answer.json()).toMatchObject({ results: [{ outcome: "recorded" }] });
  }

  /** Something is changed on purpose. */
  async changes(title: string, more: Record<string, unknown> = {}): Promise<void> {
    const answer = await fetch(`${this.url}/hooks/generic/${KEY}`, {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=5" },
      body: JSON.stringify({ title, state: "changed", ...more }),
    });
    expect(await answer.json()).toMatchObject({ results: [{ outcome: "recorded" }] });
  }

  /** What the stage knows of calls, by number. */
  async calls(): Promise<{ number: string; status: string }[]> {
    const answer = await fetch(`${this.stage}/stage/state`);
    const { phones } = (await answer.json()) as { phones: { number: string; calls: { status: string }[] }[] };
    return phones.flatMap((phone) => phone.calls.map((call) => ({ number: phone.number, status: call.status })));
  }
}

/** The stage alone, and what a provider's client says to it. */
export class Stage {
  private constructor(
    readonly url: string,
    readonly smtp: string,
    private readonly folder: string,
    private readonly process: Process,
  ) {}

  static async open(reveille: string): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), "reveille-e2e-"));
    const process = new Process(folder, ["stage", "--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--reveille", reveille]);
    const url = await process.says(/page\s+(http:\S+)/);
    const smtp = await process.says(/"(smtp:[^"]+)"/);
    return new Stage(url, smtp, folder, process);
  }

  async close(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async slackAnswer(method: string, body: object): Promise<Response> {
    const headers = { Authorization: "Bearer xoxb-stage", "Content-Type": "application/json; charset=utf-8" };
    return await fetch(`${this.url}/slack/api/${method}`, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async slack(method: string, body: object): Promise<object> {
    const answer = (await (await this.slackAnswer(method, body)).json()) as { ok: boolean };
    expect(answer, method).toMatchObject({ ok: true });
    return answer;
  }

  async text(to: string, words: string): Promise<void> {
    await this.twilio("Messages", { To: to, From: "+15005550006", Body: words });
  }

  /** A call that rings for ten minutes, so that nobody who looks at it has to hurry. */
  async call(to: string, words: string): Promise<void> {
    await this.twilio("Calls", { To: to, From: "+15005550006", Twiml: `<Response><Say>${words}</Say></Response>`, Timeout: "600" });
  }

  private async twilio(what: string, fields: Record<string, string>): Promise<void> {
    const authorization = `Basic ${Buffer.from(`${STAGE_ACCOUNT}:stage`).toString("base64")}`;
    const answer = await fetch(`${this.url}/2010-04-01/Accounts/${STAGE_ACCOUNT}/${what}.json`, { method: "POST", headers: { Authorization: authorization }, body: new URLSearchParams(fields) });
    expect(answer.status).toBe(201);
  }
}

/** Tests that take a `house`, quiet or the demo's, get one of their own; a page that complains in its console fails the test. */
export const test = base.extend<{ more: string; house: House; bare: House; demo: House; strict: void }>({
  // What the configuration of `house` has besides.
  more: ["", { option: true }],
  bare: async ({ context }, use) => {
    const house = await House.bare();
    await use(house);
    for (const page of context.pages()) await page.close();
    await house.close();
  },
  house: async ({ context, more }, use) => {
    const house = await House.quiet(more);
    await use(house);
    // First the pages: one whose server goes away complains, and rightly.
    for (const page of context.pages()) await page.close();
    await house.close();
  },
  demo: async ({ context }, use) => {
    const house = await House.demo();
    await use(house);
    // First the pages: one whose server goes away complains, and rightly.
    for (const page of context.pages()) await page.close();
    await house.close();
  },
  strict: [
    async ({ context }, use) => {
      const complaints: string[] = [];
      context.on("weberror", (error) => complaints.push(error.error().message));
      context.on("console", (message) => {
        // The browser itself reports an answer of 403 or 404, which is what some stories ask for.
        const asked = /the server responded with a status of 40[34]/.test(message.text());
        // The mail's page runs no script, not even those with which this suite looks at it.
        const guarded = /^Blocked script execution in '.*\/stage\/mails\//.test(message.text());
        if (message.type() === "error" && !asked && !guarded) complaints.push(message.text());
      });
      await use();
      expect(complaints, "complaints in the console").toEqual([]);
    },
    { auto: true },
  ],
});

/** Signs in by a link, as a person does: opens it, presses the button. */
export async function signIn(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in on this device" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Incidents" })).toBeVisible();
}

/** One entry of a timeline as a browser came to show it. */
export interface Shown {
  text: string;
  /** How long after the fact it was shown, milliseconds. */
  late: number;
  /** Whether it came by itself, to a page that was there before it. */
  live: boolean;
}

/** From now on nobody touches this timeline: the page writes down what it shows, and when. A reload would lose the record. */
export async function record(page: Page): Promise<() => Promise<Shown[]>> {
  await expect(page.getByRole("heading", { level: 2, name: /Timeline/ })).toBeVisible();
  await page.evaluate(() => {
    const shown: Shown[] = [];
    const note = (item: Element, live: boolean): void => {
      const at = Date.parse(item.querySelector("time")!.dateTime);
      shown.push({ text: item.querySelector(".what")!.textContent ?? "", late: Date.now() - at, live });
    };
    const list = document.getElementById("timeline")!;
    for (const item of list.children) note(item, false);
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node instanceof Element) note(node, true);
    }).observe(list, { childList: true });
    Object.assign(window, { shown });
  });
  return async () => await page.evaluate(() => (window as unknown as { shown: Shown[] }).shown);
}

/** Each step is told once, in this order, and without a reload: only `before` of them may have been there when the page was opened. */
export function told(entries: Shown[], steps: RegExp[], before: number): void {
  const places = steps.map((step) => entries.flatMap((entry, place) => (step.test(entry.text) ? [place] : [])));
  expect(places.map((each) => each.length), `each step is told once: ${entries.map((each) => each.text).join("; ")}`).toEqual(steps.map(() => 1));
  expect(places.flat(), "in the order in which it happened").toEqual([...places.flat()].sort((a, b) => a - b));
  for (const [place] of places.slice(before)) {
    const entry = entries[place!]!;
    expect(entry.live, `"${entry.text}" came without a reload`).toBe(true);
    expect(entry.late, `"${entry.text}" came at once, ms`).toBeLessThan(3_000);
  }
}

export const phone = (page: Page, name: string): Locator => page.getByRole("region", { name: `${name}'s phone` });

const SIZES = [
  { name: "desktop", width: 1280, height: 800 },
  { name: "phone", width: 390, height: 844 },
];

/** No page is wider than its window, at any size. */
export async function fits(page: Page): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide, `${page.url()} scrolls sideways`).toBe(0);
}

/** Nothing on the page keeps anybody out, as far as axe can tell. */
async function open(page: Page, name: string): Promise<void> {
  // Otherwise it opens a tab of its own each time, only to add up the results of frames from elsewhere: there are none.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  expect(violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html).join(" ")}`), name).toEqual([]);
}

/** Looks at a page light and dark, wide and narrow: nothing sticks out, nothing keeps anybody out; and takes a picture of each. */
export async function look(page: Page, name: string): Promise<void> {
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const size of SIZES) {
      await page.setViewportSize(size);
      await fits(page);
      // Colours differ by light, places by size: two of the four see both.
      if ((colorScheme === "light") === (size === SIZES[0])) await open(page, `${name}, ${colorScheme}, ${size.name}`);
      await page.screenshot({ path: join(SHOTS, `${name}-${colorScheme}-${size.name}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "no-preference" });
  if (before) await page.setViewportSize(before);
}

export { expect, ANA, BO };
export type { Browser, BrowserContext, Page };
