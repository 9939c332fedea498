// The pages work without this. With it, times are the reader's own and what happens is shown as it happens.
import "./app.css";

interface Entry {
  seq: number;
  at: string;
  kind: string;
  actor: string;
  actor_name: string;
  text: string;
  tone: string;
  reason: string | null;
  then: { what: string; at: string } | null;
}

const MINUTE = 60_000;
/** A stream that says nothing for this long is dead, whatever the browser believes: the server sends a sign every 15 s. */
const SILENCE = 40_000;
const RETRY_LEAST = 1_000;
const RETRY_MOST = 15_000;

// ---- Times ----

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
// Not "auto": it calls 40 hours from now tomorrow.
const spans = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });

/** "03:10:00" today, "29 Jul 03:10:00" on another day. */
function shortTime(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  const date = at.getFullYear() === now.getFullYear() ? day : dayOfYear;
  return `${date.format(at)} ${clock.format(at)}`;
}

function ago(at: Date, now: Date): string {
  const seconds = Math.trunc((at.getTime() - now.getTime()) / 1_000);
  const size = Math.abs(seconds);
  if (size < 10) return "just now";
  if (size < 60) return spans.format(seconds, "second");
  if (size < 3_600) return spans.format(Math.trunc(seconds / 60), "minute");
  if (size < 2 * 86_400) return spans.format(Math.trunc(seconds / 3_600), "hour");
  return spans.format(Math.trunc(seconds / 86_400), "day");
}

function showTimes(root: ParentNode): void {
  const now = new Date();
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-how]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const how = time.dataset["how"];
    if (how === "back") time.closest(".task")?.classList.toggle("overdue", at <= now);
    const text = how === "ago" ? ago(at, now) : how === "back" ? back(at, now) : how === "both" ? `${shortTime(at, now)} (${ago(at, now)})` : shortTime(at, now);
    if (time.textContent !== text) time.textContent = text;
    if (!time.title) time.title = whole.format(at);
  }
}

/** "back at 03:15, in 5 minutes"; what was promised for a time that is over stands out. */
function back(at: Date, now: Date): string {
  return `${shortTime(at, now)} (${ago(at, now)})`;
}

function nameZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const note of document.querySelectorAll("[data-zone]")) note.textContent = `Times are yours (${zone}).`;
}

// ---- What follows live ----

/** Takes the parts marked as live from a fresh copy of this page; the server's templates stay the one place that words it. */
async function refresh(): Promise<void> {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
  take(await answer.text());
}

/** Each live part as the server last gave it: what did not change there is left alone here. */
const served = new WeakMap<HTMLElement, string>();

function take(html: string): void {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const given = new Map(Array.from(fresh.querySelectorAll<HTMLElement>("[data-live]"), (part) => [part.id, part.innerHTML]));
  showTimes(fresh);
  for (const old of document.querySelectorAll<HTMLElement>("[data-live]")) {
    const next = fresh.getElementById(old.id);
    // A form that is on its way keeps its place until the answer is here.
    if (!next || old.querySelector("[aria-busy=true]")) continue;
    if (old.className !== next.className) old.className = next.className;
    const text = given.get(old.id) ?? "";
    if (served.get(old) === text || old.innerHTML === next.innerHTML) continue;
    served.set(old, text);
    const keep = kept(old);
    // Spread first: the list of nodes is live and shrinks as they move over.
    old.replaceChildren(...next.childNodes);
    keep();
  }
  document.title = fresh.title;
  const late = fresh.getElementById("timeline");
  for (const item of late ? Array.from(late.children) : []) if (item instanceof HTMLElement) append(item);
}

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** What a person has opened, typed or focused in a part of the page outlives its new copy: somebody else's change must not cost it. */
function kept(part: HTMLElement): () => void {
  const held = document.activeElement instanceof HTMLElement && part.contains(document.activeElement) ? document.activeElement : null;
  const open = Array.from(part.querySelectorAll<HTMLDetailsElement>("details[open]"), (each) => each.id);
  const typed = Array.from(part.querySelectorAll<Field>("input:not([type=hidden]), select, textarea"), (each) => [each.id, each.value] as const);
  const place = held instanceof HTMLInputElement ? held.selectionStart : null;
  return () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, value] of typed) {
      const field = id ? (document.getElementById(id) as Field | null) : null;
      if (field) field.value = value;
    }
    const again = held?.id ? document.getElementById(held.id) : null;
    again?.focus({ preventScroll: true });
    if (again instanceof HTMLInputElement && place !== null) again.setSelectionRange(place, place);
  };
}

let wanted = false;
let running = false;

/** At most one copy is on its way, however fast things happen; what happens meanwhile asks for one more. */
async function refreshSoon(): Promise<void> {
  wanted = true;
  if (running) return;
  running = true;
  try {
    while (wanted) {
      wanted = false;
      await new Promise((done) => setTimeout(done, 150));
      try {
        await refresh();
      } catch (error) {
        console.warn("the page could not be refreshed", error);
        await new Promise((done) => setTimeout(done, 2_000));
        wanted = true;
        if (!live) break;
      }
    }
  } finally {
    running = false;
  }
}

function timeOf(iso: string): HTMLTimeElement {
  const time = document.createElement("time");
  time.dateTime = iso;
  time.dataset["how"] = "clock";
  return time;
}

function textOf(tag: string, kind: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.textContent = text;
  return element;
}

function itemOf(entry: Entry): HTMLLIElement {
  const item = document.createElement("li");
  item.dataset["seq"] = String(entry.seq);
  item.className = entry.tone;
  const words = document.createElement("p");
  const what = textOf("span", "what", "");
  what.append(textOf("bdi", "", entry.text));
  if (entry.then) what.append(`; ${entry.then.what} at `, timeOf(entry.then.at));
  words.append(what);
  // What happens by itself, and who is named in the line, needs no name beside it.
  if (entry.actor !== "reveille" && !entry.text.includes(entry.actor_name)) words.append(" ", textOf("span", "by", entry.actor_name));
  if (entry.reason) words.append(" ", textOf("span", "why", entry.reason));
  item.append(timeOf(entry.at), " ", words);
  showTimes(item);
  return item;
}

function newest(): number {
  const last = document.querySelector<HTMLElement>("#timeline > li:last-child");
  return Number(last?.dataset["seq"] ?? 0);
}

/** Entries come in order; what is here already is not shown twice. */
/** What is noise folds away, unless the page was asked to show it. */
function isFolded(entry: Entry): boolean {
  return entry.kind === "noise_changed" && !new URLSearchParams(location.search).has("noise");
}

function append(item: HTMLElement): void {
  const list = document.getElementById("timeline");
  if (!list || Number(item.dataset["seq"]) <= newest()) return;
  const below = document.documentElement.scrollHeight - window.innerHeight - window.scrollY;
  // A short page is always "at its end"; only a reader who has scrolled down to the newest is taken along.
  const follows = below < 80 && window.scrollY > 0;
  item.classList.add("new");
  list.append(document.adoptNode(item));
  if (follows) window.scrollTo({ top: document.documentElement.scrollHeight });
}

// ---- The stream ----

let live = false;

function say(on: boolean): void {
  live = on;
  for (const note of document.querySelectorAll<HTMLElement>("[data-live-note]")) {
    note.hidden = false;
    note.classList.toggle("on", on);
    const text = on ? "live" : "reconnecting…";
    if (note.textContent !== text) note.textContent = text;
  }
}

/** The browser resumes by `Last-Event-ID` where it reconnects by itself; where it gives up, this opens anew after the newest entry shown. */
function follow(path: string): void {
  let wait = RETRY_LEAST;
  let source: EventSource;
  let silence: number | undefined;

  const heard = (): void => {
    window.clearTimeout(silence);
    silence = window.setTimeout(again, SILENCE);
  };
  const open = (): void => {
    const seq = newest();
    source = new EventSource(seq > 0 ? `${path}?after=${seq}` : path);
    heard();
    source.addEventListener("open", () => {
      wait = RETRY_LEAST;
      say(true);
      heard();
      // Whatever was missed while the stream was down is on the page again.
      void refreshSoon();
    });
    source.addEventListener("alive", heard);
    source.addEventListener("fact", (event) => {
      heard();
      const entry = JSON.parse((event as MessageEvent<string>).data) as Entry;
      if (document.getElementById("timeline") && !isFolded(entry)) append(itemOf(entry));
      void refreshSoon();
    });
    // The server could not keep every entry for this reader: take the page as it is now.
    source.addEventListener("reset", () => {
      heard();
      void refreshSoon();
    });
    source.addEventListener("error", () => {
      say(false);
      if (source.readyState === EventSource.CLOSED) later();
    });
  };
  const later = (): void => {
    window.clearTimeout(silence);
    source.close();
    window.setTimeout(open, wait);
    wait = Math.min(wait * 2, RETRY_MOST);
  };
  const again = (): void => {
    say(false);
    later();
  };
  open();
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
}

// ---- Forms ----

/** A second tap of a tired thumb does not ask twice; a form that may stay is sent without leaving the page. */
function guardForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    const pressed = event.submitter instanceof HTMLButtonElement ? event.submitter : form.querySelector("button");
    if (form.querySelector("[aria-busy=true]")) {
      event.preventDefault();
      return;
    }
    pressed?.setAttribute("aria-busy", "true");
    if (form.dataset["stay"] === undefined) return;
    event.preventDefault();
    void send(form, pressed);
  });
  // Coming back by the back button shows the page as it was left, busy button included.
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[aria-busy=true]")) button.removeAttribute("aria-busy");
  });
}

/** The answer is the page as it is afterwards; a refusal is said beside the form, and what was typed stays. */
async function send(form: HTMLFormElement, pressed: HTMLButtonElement | null): Promise<void> {
  form.querySelector(".refused")?.remove();
  try {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form, pressed)) fields.append(name, String(value));
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "text/html" } });
    const html = await answer.text();
    pressed?.removeAttribute("aria-busy");
    if (!answer.ok) {
      const page = new DOMParser().parseFromString(html, "text/html");
      refuse(form, page.querySelector("main .card p")?.textContent ?? "That did not work. Try again.");
      return;
    }
    // What leads to another page cannot be shown in this one.
    if (new URL(answer.url).pathname !== location.pathname) {
      location.assign(answer.url);
      return;
    }
    form.reset();
    const around = form.closest("details");
    if (around) around.open = false;
    take(html);
  } catch {
    pressed?.removeAttribute("aria-busy");
    refuse(form, "Nothing was heard from the server. Try again in a moment.");
  }
}

function refuse(form: HTMLFormElement, why: string): void {
  const note = textOf("p", "refused wide", why);
  note.setAttribute("role", "alert");
  form.append(note);
}

// ---- Keys ----

/** Whoever types with their voice, or leans on the keyboard, switches them off for this browser. */
const KEYS_OFF = "keys-off";

/** One key goes to a field or a link; none does anything by itself, for a cat walks over the keyboard too. */
function guideKeys(): void {
  const dialog = document.getElementById("keys") as HTMLDialogElement | null;
  const show = document.getElementById("keys-show");
  const off = document.getElementById("keys-off");
  if (!dialog || !show || !off) return;
  show.hidden = document.querySelector("[data-key]") === null;
  const isOff = (): boolean => localStorage.getItem(KEYS_OFF) !== null;
  const list = (): void => {
    const keys: [string, string][] = Array.from(document.querySelectorAll<HTMLElement>("[data-key]"), (each) => [each.dataset["key"] ?? "", each.dataset["does"] ?? ""]);
    if (document.querySelector(".incidents a")) keys.push(["j k", "Next and previous incident"]);
    keys.push(["?", "Show this"]);
    dialog.querySelector("dl")?.replaceChildren(...keys.flatMap(([key, does]) => [textOf("dt", "", key), textOf("dd", "", does)]));
    off.textContent = isOff() ? "Switch them on" : "Switch them off";
    dialog.showModal();
  };
  show.addEventListener("click", list);
  document.getElementById("keys-close")?.addEventListener("click", () => dialog.close());
  off.addEventListener("click", () => {
    if (isOff()) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
    dialog.close();
  });
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    const isTyping = at instanceof HTMLElement && at.closest("input, textarea, select, dialog") !== null;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping || isOff()) return;
    if (event.key === "?") list();
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else {
      const to = Array.from(document.querySelectorAll<HTMLElement>("[data-key]")).find((each) => each.dataset["key"] === event.key);
      if (!to) return;
      to.closest("details")?.setAttribute("open", "");
      to.focus();
    }
    event.preventDefault();
  });
}

/** To the next incident of the list, or the one before. */
function step(by: number): void {
  const links = Array.from(document.querySelectorAll<HTMLElement>(".incidents a"));
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
}

/** The zones that this browser knows, to choose from while typing. */
function offerZones(): void {
  const zones = document.getElementById("zones");
  if (!zones) return;
  for (const zone of Intl.supportedValuesOf("timeZone")) zones.append(new Option(zone, zone));
}

/** A button beside each text that is there to be pasted elsewhere. Browsers lend the clipboard to https and to this machine alone. */
function offerCopies(): void {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll<HTMLElement>("pre[data-copy]")) {
    const button = textOf("button", "copy", "Copy") as HTMLButtonElement;
    button.type = "button";
    const frame = document.createElement("div");
    frame.className = "copied";
    text.replaceWith(frame);
    frame.append(text, button);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText((text.textContent ?? "").trimEnd());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      window.setTimeout(() => (button.textContent = "Copy"), 2_000);
    });
  }
}

showTimes(document);
nameZone();
offerCopies();
guardForms();
guideKeys();
offerZones();
window.setInterval(() => showTimes(document), MINUTE / 6);
const stream = document.querySelector<HTMLElement>("[data-stream]")?.dataset["stream"];
if (stream) follow(stream);
