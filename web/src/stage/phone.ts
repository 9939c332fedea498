// One phone: it rings, is answered, and keeps its calls and texts.
import { speak } from "./sound";
import { ThreadView } from "./texts";
import { button, clock, h, heard, icon, isOver, span, text, type Picture } from "./tools";
import { act, type Call, type Habit, now, type Phone, send } from "./world";

export const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const LETTERS: Record<string, string> = { "2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ", "0": "+" };

const HABITS: { label: string; habit: Habit }[] = [
  { label: "You decide", habit: { kind: "manual" } },
  { label: "Answers after 10 s, presses 1", habit: { kind: "answer_and_press", keys: "1", after: "10s" } },
  { label: "Voicemail after 20 s", habit: { kind: "voicemail", after: "20s" } },
  { label: "Turned away at once", habit: { kind: "decline" } },
  { label: "No such number", habit: { kind: "unreachable" } },
];

function habitLabel(habit: Habit): string {
  switch (habit.kind) {
    case "manual":
      return "You decide";
    case "answer_and_press":
      return `Answers after ${habit.after.replace(/s$/, " s")}, presses ${habit.keys.split("").join(", ")}`;
    case "voicemail":
      return `Voicemail after ${habit.after.replace(/s$/, " s")}`;
    case "decline":
      return "Turned away at once";
    case "unreachable":
      return "No such number";
  }
}

/** What became of a call, in a person's words. */
function ending(call: Call): { word: string; tone: "good" | "bad" | "dull" } {
  switch (call.status) {
    case "completed":
      if (call.answered_by === "machine") return { word: "Voicemail", tone: "dull" };
      return call.digits ? { word: "Answered", tone: "good" } : { word: "Answered, no key", tone: "dull" };
    case "busy":
      return { word: "Declined", tone: "bad" };
    case "no-answer":
      return { word: "Not answered", tone: "bad" };
    case "failed":
      return { word: "Not reachable", tone: "bad" };
    case "canceled":
      return { word: "Withdrawn", tone: "dull" };
    case "queued":
      return { word: "Taken, never rang", tone: "bad" };
    case "ringing":
      return { word: "Ringing", tone: "good" };
    case "in-progress":
      return { word: "On the line", tone: "good" };
  }
}

export class PhoneView {
  readonly root: HTMLElement;
  private readonly screen = h("div", { class: "screen" });
  private readonly habit = h("select");
  private readonly history = h("ol", { class: "history" });
  private readonly quiet = h("p", { class: "no-history" }, "No calls yet.");
  private shape = "";
  private lines: HTMLElement[] = [];
  private timer: HTMLElement | null = null;
  private typed: HTMLElement | null = null;
  private prompt: HTMLElement | null = null;
  private transcript: HTMLElement | null = null;
  private rows = "";
  private readonly thread: ThreadView;
  phone: Phone;

  constructor(phone: Phone) {
    this.phone = phone;
    const name = phone.name ?? phone.number;
    const habitLabelled = h("label", { class: "habit stacked" }, h("span", {}, "When it rings"), this.habit);
    this.habit.addEventListener("change", () => {
      const habit = JSON.parse(this.habit.value) as Habit;
      void send("habits", { number: this.phone.number, habit });
    });
    this.thread = new ThreadView(phone);
    this.root = h(
      "section",
      { class: "phone", "aria-label": `${name}'s phone` },
      h("div", { class: "device", tabindex: "0", role: "group", "aria-label": `${name}'s phone. Enter answers it.` }, h("span", { class: "ear" }), this.screen),
      habitLabelled,
      h("h2", {}, "Calls"),
      this.quiet,
      this.history,
      this.thread.root,
    );
  }

  get device(): HTMLElement {
    return this.root.querySelector<HTMLElement>(".device")!;
  }

  /** The call that holds the screen: the one being talked on, else the first that rings. */
  get current(): Call | null {
    const live = this.phone.calls.filter((call) => call.status === "in-progress" || call.status === "ringing");
    return live.find((call) => call.status === "in-progress") ?? live.at(-1) ?? null;
  }

  update(phone: Phone): void {
    this.phone = phone;
    const call = this.current;
    const waiting = phone.calls.filter((other) => other.status === "ringing" && other !== call);
    const shape = [call?.sid, call?.status, call?.answered_by, phone.name, ...waiting.map((other) => other.sid)].join("|");
    if (shape !== this.shape) {
      this.shape = shape;
      this.draw(call, waiting);
    }
    this.root.classList.toggle("ringing", call?.status === "ringing");
    this.root.classList.toggle("live", call?.status === "in-progress");
    this.drawHabit();
    this.drawHistory();
    this.thread.update(phone);
    for (const each of phone.calls) speak(each);
    this.tick();
  }

  private draw(call: Call | null, waiting: Call[]): void {
    const { phone } = this;
    const held = this.screen.contains(document.activeElement);
    this.lines = [];
    this.timer = this.typed = this.prompt = this.transcript = null;
    const person = h("p", { class: "person" }, phone.name ?? "Someone");
    const number = h("p", { class: "number" }, phone.number);
    if (!call) {
      this.timer = h("p", { class: "clock" }, clock(now()));
      const first = phone.name?.split(" ")[0] ?? "this number";
      const last = phone.calls[0];
      const hint = last ? `Last call: ${ending(last).word.toLowerCase()}, ${clock(last.created_at)}.` : `Asleep. When Reveille pages ${first}, this phone rings.`;
      this.screen.replaceChildren(this.timer, h("div", { class: "who" }, person, number), h("p", { class: "hint" }, hint));
      if (held) this.device.focus();
      return;
    }
    const caller = h("p", { class: "number" }, `from ${call.from}`);
    if (call.status === "ringing") {
      this.timer = h("p", { class: "timer" });
      this.screen.replaceChildren(
        h("div", { class: "who" }, h("p", { class: "state" }, "Incoming call"), h("p", { class: "person" }, "Reveille"), caller, this.timer),
        h("div", { class: "rings", "aria-hidden": "true" }, icon("handset")),
        h("p", { class: "owner" }, `${phone.name ?? phone.number}'s phone`),
        h(
          "div",
          { class: "answers" },
          this.round("Decline", "decline", "handset", () => act(call.sid, "decline")),
          this.round("Voicemail", "voicemail", "tape", () => act(call.sid, "voicemail")),
          this.round("Answer", "answer", "handset", () => act(call.sid, "answer")),
        ),
      );
    } else {
      const machine = call.answered_by === "machine";
      this.timer = h("p", { class: "timer" });
      this.transcript = h("div", { class: "transcript", role: "log", "aria-label": "What is being said", tabindex: "0" });
      this.typed = h("output", { class: "typed", "aria-label": "Keys pressed" });
      this.prompt = h("p", { class: "prompt" });
      const keypad = h("div", { class: "keypad", role: "group", "aria-label": "Keypad" });
      if (!machine) {
        for (const key of KEYS) {
          const pad = button("", "key", () => act(call.sid, "press", key), key === "*" ? "star" : key === "#" ? "hash" : key);
          pad.append(h("b", {}, key), h("small", {}, LETTERS[key] ?? ""));
          keypad.append(pad);
        }
      }
      this.screen.replaceChildren(
        h("div", { class: "who" }, h("p", { class: "state" }, machine ? "Voicemail" : "Reveille"), this.timer),
        this.transcript,
        machine ? h("div", { class: "rings still", "aria-hidden": "true" }, icon("tape")) : h("div", { class: "typing" }, this.typed, this.prompt),
        machine ? h("p", { class: "owner" }, "Recording. Nobody presses a key.") : keypad,
        h("div", { class: "answers" }, this.round("Hang up", "decline", "handset", () => act(call.sid, "hang_up"))),
      );
    }
    for (const other of waiting) {
      this.screen.append(
        h("div", { class: "waiting" }, h("span", {}, "Another call is waiting"), button("Decline", "small", () => act(other.sid, "decline"))),
      );
    }
    if (held) this.device.focus();
  }

  private round(label: string, kind: string, picture: Picture, onClick: () => void): HTMLElement {
    const node = h("button", { type: "button", class: `round ${kind}` });
    node.append(h("span", { class: "disc" }, icon(picture)), h("span", {}, label));
    node.addEventListener("click", onClick);
    return node;
  }

  private drawHabit(): void {
    const wanted = JSON.stringify(this.phone.habit);
    if (this.habit.value === wanted && this.habit.options.length > 0) return;
    const options = [...HABITS];
    if (!options.some((option) => JSON.stringify(option.habit) === wanted)) {
      options.push({ label: habitLabel(this.phone.habit), habit: this.phone.habit });
    }
    this.habit.replaceChildren(...options.map((option) => h("option", { value: JSON.stringify(option.habit) }, option.label)));
    this.habit.value = wanted;
  }

  private drawHistory(): void {
    const past = this.phone.calls.filter((call) => isOver(call) || call.status === "queued");
    this.quiet.hidden = past.length > 0;
    const rows = JSON.stringify(past.map((call) => [call.sid, call.status, call.callbacks.length]));
    if (rows === this.rows) return;
    this.rows = rows;
    const open = new Set([...this.history.querySelectorAll<HTMLDetailsElement>("details[open]")].map((node) => node.dataset["sid"]));
    this.history.replaceChildren(...past.map((call) => this.row(call, open.has(call.sid))));
  }

  private row(call: Call, open: boolean): HTMLElement {
    const { word, tone } = ending(call);
    const facts: string[] = [];
    if (call.answered_at !== null && call.ended_at !== null) facts.push(span(call.ended_at - call.answered_at));
    else if (call.dialed_at !== null && call.ended_at !== null) facts.push(`rang ${span(call.ended_at - call.dialed_at)}`);
    if (call.digits) facts.push(`pressed ${call.digits.split("").join(" ")}`);
    const details = h(
      "details",
      {},
      h("summary", {}, h("time", {}, clock(call.created_at, true)), h("span", { class: `badge ${tone}` }, word), h("span", { class: "facts" }, facts.join(" · "))),
    );
    details.dataset["sid"] = call.sid;
    details.open = open;
    const told = h("ul", { class: "told" });
    for (const delivery of call.callbacks) {
      const what = { status: `told "${delivery.told}"`, twiml: "asked what to say", keys: "sent the keys", text: "told of a text" }[delivery.kind];
      const good = delivery.outcome.kind === "answered" && delivery.outcome.status < 400;
      const came = delivery.outcome.kind === "answered" ? String(delivery.outcome.status) : `${delivery.outcome.why}, ${delivery.tries} tries`;
      told.append(h("li", {}, `${what}: `, h("b", { class: good ? "good" : "bad" }, came)));
    }
    if (call.callbacks.length === 0) told.append(h("li", {}, "Reveille was told nothing."));
    if (call.problem) details.append(h("p", { class: "problem" }, call.problem));
    for (const line of call.speech) {
      const { words, whole } = heard(line, line.until);
      details.append(h("p", {}, `“${words}${whole ? "" : " …"}”`));
    }
    details.append(told, h("code", {}, call.sid));
    return h("li", {}, details);
  }

  /** What changes with time alone: the timer and the words as they are spoken. */
  tick(): void {
    const call = this.current;
    if (!this.timer) return;
    if (!call) return text(this.timer, clock(now()));
    if (call.status === "ringing") return text(this.timer, `ringing ${span(now() - (call.dialed_at ?? now()))}`);
    text(this.timer, span(now() - (call.answered_at ?? now())));
    if (this.typed) text(this.typed, call.digits.split("").join(" "));
    if (this.prompt) text(this.prompt, call.listening ? "Waiting for a key" : "Listening");
    this.prompt?.classList.toggle("open", call.listening);
    if (!this.transcript) return;
    call.speech.forEach((line, n) => {
      let node = this.lines[n];
      if (!node) {
        // A screen reader gets the phrase at once; the eye sees it word by word.
        node = h("p", {}, h("span", { "aria-hidden": "true" }), h("span", { class: "unseen" }, line.text));
        this.lines[n] = node;
        this.transcript!.append(node);
      }
      const { words, whole } = heard(line, now());
      const cut = !whole && now() >= line.until;
      const shown = cut ? `${words} …` : words;
      if (node.firstElementChild!.textContent !== shown) {
        text(node.firstElementChild!, shown);
        this.transcript!.scrollTop = this.transcript!.scrollHeight;
      }
      node.classList.toggle("past", n < call.speech.length - 1);
    });
  }
}

