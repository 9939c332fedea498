// The page of the stage: phones that ring, what is said on them, and the ways in which a provider can fail.
import "./stage.css";

type Status = "queued" | "ringing" | "in-progress" | "completed" | "busy" | "failed" | "no-answer" | "canceled";
type Speech = { text: string; language: string | null; from: number; until: number };
type Delivery = {
  kind: "status" | "twiml" | "keys";
  told: string;
  tries: number;
  outcome: { kind: "answered"; status: number } | { kind: "failed"; why: string };
};
type Call = {
  sid: string;
  from: string;
  status: Status;
  created_at: number;
  dialed_at: number | null;
  answered_at: number | null;
  ended_at: number | null;
  answered_by: "nobody" | "human" | "machine";
  speech: Speech[];
  digits: string;
  listening: boolean;
  callbacks: Delivery[];
  problem: string | null;
};
type Habit =
  | { kind: "manual" }
  | { kind: "answer_and_press"; keys: string; after: string }
  | { kind: "voicemail"; after: string }
  | { kind: "decline" }
  | { kind: "unreachable" };
type Phone = { number: string; name: string | null; habit: Habit; calls: Call[] };
type Fault = { kind: "refuse"; status: number; code: number } | { kind: Exclude<FaultKind, "refuse" | "none"> };
type FaultKind = "none" | "hang" | "refuse" | "accept_and_do_nothing" | "place_but_hang" | "place_but_drop" | "nonsense";
type Callbacks = { kind: "on" | "off" | "twice" } | { kind: "late"; by: string };
type Snapshot = {
  now: number;
  reveille_url: string | null;
  fault: Fault | null;
  callbacks: Callbacks;
  requests: number;
  hanging: number;
  phones: Phone[];
};

// --- small tools -----------------------------------------------------------------------------------------------------

type Child = Node | string | null;

function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null) node.append(child);
  return node;
}

function button(label: string, kind: string, act: () => void, spoken?: string): HTMLButtonElement {
  const node = h("button", { type: "button", class: kind, ...(spoken ? { "aria-label": spoken } : {}) }, label);
  node.addEventListener("click", act);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  handset:
    "M6.6 10.8c1.4 2.8 3.8 5.1 6.6 6.6l2.2-2.2c.3-.3.7-.4 1-.2 1.1.4 2.3.6 3.6.6.6 0 1 .4 1 1V20c0 .6-.4 1-1 1C10.6 21 3 13.4 3 4c0-.6.4-1 1-1h3.5c.6 0 1 .4 1 1 0 1.3.2 2.5.6 3.6.1.3 0 .7-.2 1L6.6 10.8z",
  tape: "M6 16a4 4 0 1 1 0-8 4 4 0 0 1 0 8zm12 0a4 4 0 1 1 0-8 4 4 0 0 1 0 8zM6 16h12",
};

function icon(name: keyof typeof PATHS): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", name);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

function text(node: Element, value: string): void {
  if (node.textContent !== value) node.textContent = value;
}

function clock(at: number, seconds = false): string {
  // On the night shift 03:00 and 15:00 must not look alike.
  return new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) });
}

function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function remembered(name: string): boolean {
  try {
    return localStorage.getItem(`stage.${name}`) === "yes";
  } catch {
    return false;
  }
}

function remember(name: string, value: boolean): void {
  try {
    localStorage.setItem(`stage.${name}`, value ? "yes" : "no");
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

const names = (list: string[]): string => new Intl.ListFormat("en").format(list);

/** The part of a phrase that has been said by then. A phrase takes about a second for fifteen characters, and may be cut short. */
function heard(line: Speech, at: number): { words: string; whole: boolean } {
  const words = line.text.split(" ");
  const length = Math.max(1000, (line.text.length * 1000) / 15);
  const part = Math.min(1, Math.max(0, (Math.min(at, line.until) - line.from) / length));
  const count = part >= 0.99 ? words.length : Math.floor(part * words.length) + 1;
  return { words: words.slice(0, count).join(" "), whole: count >= words.length };
}

const isOver = (call: Call): boolean => !["queued", "ringing", "in-progress"].includes(call.status);

// --- the state -------------------------------------------------------------------------------------------------------

let state: Snapshot | null = null;
/** How far the stage's clock is ahead of this browser's, milliseconds. */
let ahead = 0;
const now = (): number => Date.now() + ahead;

const alarm = h("p", { class: "alarm", role: "alert", hidden: "" });

async function send(path: string, body: unknown): Promise<void> {
  try {
    const answer = await fetch(`/stage/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (answer.ok) {
      alarm.hidden = true;
      return;
    }
    const told = (await answer.json().catch(() => null)) as { detail?: string } | null;
    // Two hands on one phone: the other was quicker, and the page shows what came of it.
    if (answer.status !== 409) complain(told?.detail ?? `The stage answered ${answer.status}.`);
  } catch {
    complain("The stage does not answer.");
  }
}

function complain(why: string): void {
  text(alarm, why);
  alarm.hidden = false;
}

const act = (sid: string, what: string, key?: string): void => void send(`calls/${sid}/${what}`, key === undefined ? {} : { key });

// --- sound -----------------------------------------------------------------------------------------------------------

let audio: AudioContext | null = null;
let muted = remembered("muted");
let toneUntil = 0;

/** Browsers allow sound only after someone has touched the page. */
function wakeAudio(): void {
  if (muted || !("AudioContext" in window)) return;
  audio ??= new AudioContext();
  if (audio.state === "suspended") void audio.resume();
}
addEventListener("pointerdown", wakeAudio);
addEventListener("keydown", wakeAudio);

/** A soft double tone, once every three seconds while anything rings. */
function ringTone(): void {
  if (!audio || muted || audio.state !== "running" || performance.now() < toneUntil) return;
  toneUntil = performance.now() + 3000;
  for (const start of [0, 0.55]) {
    for (const pitch of [523.25, 659.25]) {
      const from = audio.currentTime + start;
      const tone = audio.createOscillator();
      const loudness = audio.createGain();
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0, from);
      loudness.gain.linearRampToValueAtTime(0.05, from + 0.04);
      loudness.gain.exponentialRampToValueAtTime(0.0005, from + 0.5);
      tone.connect(loudness).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.52);
    }
  }
}

const canSpeak = "speechSynthesis" in window;
let aloud = canSpeak && remembered("aloud");
const voiced = new Set<string>();

/** Says what begins now; what was said before the page was opened stays unsaid. */
function speak(call: Call): void {
  call.speech.forEach((line, n) => {
    const key = `${call.sid}/${n}`;
    if (voiced.has(key)) return;
    voiced.add(key);
    if (!aloud || call.answered_by !== "human" || now() - line.from > 2500) return;
    speechSynthesis.cancel();
    const words = new SpeechSynthesisUtterance(line.text);
    if (line.language) words.lang = line.language;
    speechSynthesis.speak(words);
  });
  const last = call.speech.at(-1);
  if (aloud && last && isOver(call) && call.ended_at !== null && call.ended_at <= last.until && now() - call.ended_at < 1500) speechSynthesis.cancel();
}

// --- one phone -------------------------------------------------------------------------------------------------------

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
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

class PhoneView {
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
  phone: Phone;

  constructor(phone: Phone) {
    this.phone = phone;
    const name = phone.name ?? phone.number;
    const habitLabelled = h("label", { class: "habit stacked" }, h("span", {}, "When it rings"), this.habit);
    this.habit.addEventListener("change", () => {
      const habit = JSON.parse(this.habit.value) as Habit;
      void send("habits", { number: this.phone.number, habit });
    });
    this.root = h(
      "section",
      { class: "phone", "aria-label": `${name}'s phone` },
      h("div", { class: "device", tabindex: "0", role: "group", "aria-label": `${name}'s phone. Enter answers it.` }, h("span", { class: "ear" }), this.screen),
      habitLabelled,
      h("h2", {}, "Calls"),
      this.quiet,
      this.history,
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
      const first = (phone.name ?? "this number").split(" ")[0];
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

  private round(label: string, kind: string, picture: keyof typeof PATHS, onClick: () => void): HTMLElement {
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
      const what = { status: `told "${delivery.told}"`, twiml: "asked what to say", keys: "sent the keys" }[delivery.kind];
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

// --- the faults panel ------------------------------------------------------------------------------------------------

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

class FaultsView {
  readonly root: HTMLElement;
  readonly banner: HTMLElement;
  private readonly said = h("span");
  private readonly radios = new Map<FaultKind, HTMLInputElement>();
  private readonly refusal = h("select", { "aria-label": "How it refuses" });
  private readonly callbacks = h("select");
  private readonly counts = h("p", { class: "counts" });

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
    this.callbacks.addEventListener("change", () => void send("faults", { fault: state?.fault ?? null, callbacks: JSON.parse(this.callbacks.value) as Callbacks }));
    this.root = h(
      "aside",
      { class: "faults", "aria-labelledby": "faults" },
      h("h2", { id: "faults" }, "What can go wrong"),
      set,
      h("label", { class: "habit stacked" }, h("span", {}, "Status callbacks"), this.callbacks),
      this.counts,
    );
    this.banner = h("div", { class: "banner", role: "status", hidden: "" }, this.said, button("Put it right", "small", () => this.mend()));
  }

  private choose(kind: FaultKind): void {
    const refusal = REFUSALS.find((each) => String(each.status) === this.refusal.value) ?? REFUSALS[0]!;
    const fault = kind === "none" ? null : kind === "refuse" ? { kind, status: refusal.status, code: refusal.code } : { kind };
    void send("faults", { fault });
  }

  private mend(): void {
    void send("faults", { fault: null, callbacks: { kind: "on" } });
  }

  update(snapshot: Snapshot): void {
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
    text(this.counts, `${requests} from Reveille so far${snapshot.hanging > 0 ? `, ${snapshot.hanging} hanging now` : ""}.`);
    const faults: string[] = [];
    const fault = FAULTS.find((each) => each.kind === kind);
    if (fault && kind !== "none") faults.push(`The provider ${fault.label.charAt(0).toLowerCase()}${fault.label.slice(1)}`);
    const callbacks = [...this.callbacks.options].find((option) => option.value === wanted);
    if (snapshot.callbacks.kind !== "on" && callbacks) faults.push(`${faults.length > 0 ? "status" : "Status"} callbacks ${callbacks.textContent}`);
    this.banner.hidden = faults.length === 0;
    text(this.said, `${faults.join("; ")}.`);
  }
}

// --- the page --------------------------------------------------------------------------------------------------------

const views = new Map<string, PhoneView>();
const faults = new FaultsView();
const phones = h("div", { class: "phones" });
const live = h("p", { class: "unseen", "aria-live": "assertive" });
const link = h("a", { class: "reveille", hidden: "" }, "Open Reveille");
const lead = h("p", { class: "lead" });
const empty = h(
  "div",
  { class: "empty", hidden: "" },
  h("h2", {}, "No phones yet"),
  h("p", {}, "The first number that Reveille calls gets a phone here, and it rings at once."),
);

function toggle(label: string, on: boolean, change: (on: boolean) => void): HTMLButtonElement {
  const node = h("button", { type: "button", class: "toggle", "aria-pressed": String(on) }, label);
  node.addEventListener("click", () => {
    const next = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", String(next));
    change(next);
  });
  return node;
}

const sound = toggle("Ring tone", !muted, (on) => {
  muted = !on;
  remember("muted", muted);
  wakeAudio();
});
const voice = toggle("Speak aloud", aloud, (on) => {
  aloud = on;
  remember("aloud", on);
  if (!on) speechSynthesis.cancel();
});

document.getElementById("stage")!.append(
  h(
    "header",
    {},
    h("div", { class: "title" }, h("h1", {}, "The stage"), lead),
    h("nav", { "aria-label": "Page" }, sound, canSpeak ? voice : null, link),
  ),
  faults.banner,
  alarm,
  h("main", {}, h("div", { class: "floor" }, phones, empty), faults.root),
  live,
);

function update(snapshot: Snapshot): void {
  state = snapshot;
  ahead = snapshot.now - Date.now();
  for (const phone of snapshot.phones) {
    let view = views.get(phone.number);
    if (!view) {
      view = new PhoneView(phone);
      views.set(phone.number, view);
      phones.append(view.root);
    }
    view.update(phone);
  }
  empty.hidden = snapshot.phones.length > 0;
  faults.update(snapshot);
  if (snapshot.reveille_url) {
    link.href = snapshot.reveille_url;
    link.hidden = false;
  }
  const ringing = [...views.values()].filter((view) => view.current?.status === "ringing").map((view) => view.phone.name ?? view.phone.number);
  const on = [...views.values()].filter((view) => view.current?.status === "in-progress");
  const talking = on.filter((view) => view.current?.answered_by === "human").map((view) => view.phone.name ?? view.phone.number);
  const machines = on.filter((view) => view.current?.answered_by === "machine").map((view) => view.phone.name ?? view.phone.number);
  const rings = ringing.length > 0 ? `${names(ringing)}: the phone${ringing.length > 1 ? "s are" : " is"} ringing.` : "";
  text(live, rings);
  if (ringing.length > 0) text(lead, `${rings} Answer, or let it ring.`);
  else if (talking.length > 0) text(lead, `${names(talking)} on the line. Press 1, here or on your keyboard, to acknowledge.`);
  else if (machines.length > 0) text(lead, `The voicemail of ${names(machines)} is listening. That is no answer.`);
  else text(lead, "The world outside Reveille. When an alert pages someone, their phone rings here.");
  document.title = ringing.length > 0 ? "☎ Ringing · Stage" : "Stage · Reveille";
  frame();
}

function frame(): void {
  let ringing = false;
  for (const view of views.values()) {
    view.tick();
    ringing ||= view.current?.status === "ringing";
  }
  if (ringing) ringTone();
}
setInterval(frame, 200);

// Keys reach the phone that has the focus, else the only one that can take them.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const target = event.target as Element | null;
  if (target?.closest("select, input, summary, a")) return;
  const all = [...views.values()];
  const focused = all.find((view) => view.root.contains(target));
  if (KEYS.includes(event.key)) {
    const talking = all.filter((view) => view.current?.status === "in-progress" && view.current.answered_by === "human");
    const view = talking.find((each) => each === focused) ?? (talking.length === 1 ? talking[0] : undefined);
    if (view?.current) {
      event.preventDefault();
      act(view.current.sid, "press", event.key);
    }
  } else if (event.key === "Enter" && focused && target === focused.device && focused.current?.status === "ringing") {
    event.preventDefault();
    act(focused.current.sid, "answer");
  }
});

const events = new EventSource("/stage/events");
events.onmessage = (event: MessageEvent<string>) => {
  if (alarm.dataset["lost"]) {
    delete alarm.dataset["lost"];
    alarm.hidden = true;
  }
  update(JSON.parse(event.data) as Snapshot);
};
events.onerror = () => {
  alarm.dataset["lost"] = "yes";
  complain("The stage is gone. This page comes back by itself when it does.");
};
