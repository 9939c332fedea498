// The panel of what can go wrong with the phone provider, with Slack and with mail.
import { button, h, text } from "./tools";
import { type Callbacks, type FaultKind, type MailFault, now, send, type SlackFault, type Snapshot } from "./world";

const FAULTS: { kind: FaultKind; label: string; what: string }[] = [
  { kind: "none", label: "Works", what: "Every request is answered as the real provider does." },
  { kind: "hang", label: "Hangs", what: "Requests are taken and never answered; nothing is done." },
  { kind: "refuse", label: "Refuses", what: "Every request is answered with an error." },
  { kind: "accept_and_do_nothing", label: "Accepts and does nothing", what: "201, and no phone rings." },
  { kind: "place_but_hang", label: "Calls, but never answers", what: "The phone rings; the request stays open." },
  { kind: "place_but_drop", label: "Calls, then drops the line", what: "The phone rings; the connection closes without an answer." },
  { kind: "nonsense", label: "Talks nonsense", what: "200 with a page of HTML; nothing is done." },
];
const REFUSALS: { status: number; code: number; label: string }[] = [
  { status: 500, code: 20500, label: "500 internal error" },
  { status: 503, code: 20503, label: "503 unavailable" },
  { status: 429, code: 20429, label: "429 too many requests" },
  { status: 401, code: 20003, label: "401 not authenticated" },
  { status: 400, code: 21211, label: "400 invalid number" },
];
const CALLBACKS: { value: Callbacks; label: string }[] = [
  { value: { kind: "on" }, label: "come as they should" },
  { value: { kind: "late", by: "20s" }, label: "come 20 s late" },
  { value: { kind: "twice" }, label: "come twice" },
  { value: { kind: "off" }, label: "never come" },
];


type Choice<T> = { label: string; fault: T | null; lasts?: string };

const SLACK: Choice<SlackFault>[] = [
  { label: "works", fault: null },
  { label: "429, come back in 30 s", fault: { kind: "rate_limited", retry_after: 30 } },
  { label: "429 for five minutes", fault: { kind: "rate_limited", retry_after: 30 }, lasts: "5m" },
  { label: "hangs", fault: { kind: "hang" } },
  { label: "503 unavailable", fault: { kind: "refuse", status: 503 } },
  { label: "talks nonsense", fault: { kind: "nonsense" } },
  { label: "does it, never answers", fault: { kind: "do_but_hang" } },
  { label: "does it, drops the line", fault: { kind: "do_but_drop" } },
];
const MAIL: Choice<MailFault>[] = [
  { label: "works", fault: null },
  { label: "hangs", fault: { kind: "hang" } },
  { label: "451, later perhaps", fault: { kind: "refuse", code: 451 } },
  { label: "554, never", fault: { kind: "refuse", code: 554 } },
  { label: "knows no recipient", fault: { kind: "unknown_recipient" } },
  { label: "takes it, never says so", fault: { kind: "take_but_hang" } },
  { label: "takes it, drops the line", fault: { kind: "take_but_drop" } },
  { label: "drops the line in the mail", fault: { kind: "drop_in_mail" } },
];

/** A list of faults to choose one from. */
class Chooser<T> {
  readonly root: HTMLElement;
  private readonly select = h("select");

  constructor(
    label: string,
    private readonly choices: Choice<T>[],
    choose: (choice: Choice<T>) => void,
  ) {
    this.select.append(...choices.map((choice, n) => h("option", { value: String(n) }, choice.label)));
    this.select.addEventListener("change", () => choose(this.choices[Number(this.select.value)]!));
    this.root = h("label", { class: "habit stacked" }, h("span", {}, label), this.select);
  }

  /** Shows what is so, and gives its words when it is a fault. A fault with an end shows as the choice that has one. */
  show(fault: T | null, ends: boolean): string | null {
    const wanted = JSON.stringify(fault);
    const same = this.choices.filter((choice) => JSON.stringify(choice.fault) === wanted);
    const choice = same.find((each) => Boolean(each.lasts) === ends) ?? same[0];
    if (!choice) {
      this.select.value = "";
      return fault ? "fails in a way of its own" : null;
    }
    this.select.value = String(this.choices.indexOf(choice));
    return fault ? choice.label : null;
  }
}

export class FaultsView {
  readonly root: HTMLElement;
  readonly banner: HTMLElement;
  private readonly said = h("span");
  private readonly radios = new Map<FaultKind, HTMLInputElement>();
  private readonly refusal = h("select", { "aria-label": "How it refuses" });
  private readonly callbacks = h("select");
  private readonly counts = h("p", { class: "counts" });
  private readonly slack = new Chooser("Slack's Web API", SLACK, ({ fault, lasts }) => void send("slack/faults", { fault, ...(lasts ? { lasts } : {}) }));
  private readonly mail = new Chooser("The mail server", MAIL, ({ fault }) => void send("mail_faults", { fault }));
  private readonly twice = h("input", { type: "checkbox" });
  private current: Snapshot | null = null;

  constructor() {
    const set = h("fieldset", {}, h("legend", {}, "The phone provider"));
    this.refusal.append(...REFUSALS.map((each) => h("option", { value: String(each.status) }, each.label)));
    for (const fault of FAULTS) {
      const radio = h("input", { type: "radio", name: "fault", value: fault.kind });
      radio.addEventListener("change", () => this.choose(fault.kind));
      this.radios.set(fault.kind, radio);
      const words = h("span", { class: "words" }, h("b", {}, fault.label), h("small", {}, fault.what));
      set.append(h("label", { class: "fault" }, radio, words));
      if (fault.kind === "refuse") set.append(h("div", { class: "how" }, this.refusal));
    }
    this.refusal.addEventListener("change", () => this.choose("refuse"));
    this.callbacks.append(...CALLBACKS.map((each) => h("option", { value: JSON.stringify(each.value) }, each.label)));
    this.callbacks.addEventListener("change", () => void send("faults", { fault: this.current?.fault ?? null, callbacks: JSON.parse(this.callbacks.value) as Callbacks }));
    this.root = h(
      "aside",
      { class: "faults", "aria-labelledby": "faults" },
      h("h2", { id: "faults" }, "What can go wrong"),
      set,
      h("label", { class: "habit stacked" }, h("span", {}, "Status callbacks"), this.callbacks),
      this.slack.root,
      h("label", { class: "fault" }, this.twice, h("span", { class: "words" }, h("b", {}, "Slack's events come twice"), h("small", {}, "As they do now and then, with one id."))),
      this.mail.root,
      this.counts,
    );
    this.twice.addEventListener("change", () => void send("slack/events_twice", { twice: this.twice.checked }));
    this.banner = h("div", { class: "banner", role: "status", hidden: "" }, this.said, button("Put it right", "small", () => this.mend()));
  }

  private choose(kind: FaultKind): void {
    const refusal = REFUSALS.find((each) => String(each.status) === this.refusal.value) ?? REFUSALS[0]!;
    const fault = kind === "none" ? null : kind === "refuse" ? { kind, status: refusal.status, code: refusal.code } : { kind };
    void send("faults", { fault });
  }

  private mend(): void {
    void send("faults", { fault: null, callbacks: { kind: "on" } });
    void send("slack/faults", { fault: null });
    void send("mail_faults", { fault: null });
  }

  update(snapshot: Snapshot): void {
    this.current = snapshot;
    const kind = snapshot.fault?.kind ?? "none";
    const radio = this.radios.get(kind);
    if (radio && !radio.checked) radio.checked = true;
    if (snapshot.fault?.kind === "refuse" && document.activeElement !== this.refusal) this.refusal.value = String(snapshot.fault.status);
    const wanted = JSON.stringify(snapshot.callbacks);
    if (![...this.callbacks.options].some((option) => option.value === wanted)) {
      this.callbacks.append(h("option", { value: wanted }, snapshot.callbacks.kind === "late" ? `come ${snapshot.callbacks.by} late` : snapshot.callbacks.kind));
    }
    this.callbacks.value = wanted;
    const requests = snapshot.requests === 1 ? "1 request" : `${snapshot.requests} requests`;
    text(this.counts, `${requests} to the phone provider so far, ${snapshot.slack.requests} to Slack, ${snapshot.mails.length === 1 ? "1 mail" : `${snapshot.mails.length} mails`}${snapshot.hanging > 0 ? `, ${snapshot.hanging} hanging now` : ""}.`);
    const faults: string[] = [];
    const fault = FAULTS.find((each) => each.kind === kind);
    if (fault && kind !== "none") faults.push(`The provider ${fault.label.charAt(0).toLowerCase()}${fault.label.slice(1)}`);
    const callbacks = [...this.callbacks.options].find((option) => option.value === wanted);
    if (snapshot.callbacks.kind !== "on" && callbacks) faults.push(`${faults.length > 0 ? "status" : "Status"} callbacks ${callbacks.textContent}`);
    // A fault with an end is over by the clock, whether or not anything has been asked since.
    const slackFault = snapshot.slack.fault_until !== null && snapshot.slack.fault_until <= now() ? null : snapshot.slack.fault;
    const slack = this.slack.show(slackFault, snapshot.slack.fault_until !== null);
    if (slack) faults.push(`Slack: ${slack}`);
    this.twice.checked = snapshot.slack.events_twice;
    const mail = this.mail.show(snapshot.mail_fault, false);
    if (mail) faults.push(`${faults.length > 0 ? "mail" : "Mail"}: ${mail}`);
    this.banner.hidden = faults.length === 0;
    text(this.said, `${faults.join("; ")}.`);
  }
}

