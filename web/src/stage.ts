// The page of the stage: phones that ring and get texts, a Slack workspace, a mailbox, and the ways in which a provider can fail.
import "./stage.css";

import { FaultsView } from "./stage/faults";
import { MailView } from "./stage/mail";
import { KEYS, PhoneView } from "./stage/phone";
import { SlackView } from "./stage/slack";
import { canSpeak, ringTone, setSound, setVoice, soundIsOn, voiceIsOn } from "./stage/sound";
import { h, names, text } from "./stage/tools";
import { act, alarm, complain, received, type Snapshot } from "./stage/world";

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

const sound = toggle("Ring tone", soundIsOn(), setSound);
const voice = toggle("Speak aloud", voiceIsOn(), setVoice);

// --- the places of the page: phones, Slack, mail -------------------------------------------------------------------------

type Place = "phones" | "slack" | "mail";
const slack = new SlackView();
const mail = new MailView();
const tabs = new Map<Place, HTMLAnchorElement>();
const places: Record<Place, HTMLElement> = { phones: h("div", { class: "floor" }, phones, empty), slack: slack.root, mail: mail.root };
const LABELS: Record<Place, string> = { phones: "Phones", slack: "Slack", mail: "Mail" };
let mailsSeen = -1;
let last: Snapshot | null = null;

const here = (): Place => (location.hash === "#slack" ? "slack" : location.hash === "#mail" ? "mail" : "phones");

function place(): void {
  for (const [name, tab] of tabs) {
    places[name].hidden = name !== here();
    if (name === here()) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (last) update(last);
}

function badge(name: Place, count: number): void {
  text(tabs.get(name)!, count > 0 ? `${LABELS[name]} (${count})` : LABELS[name]);
  tabs.get(name)!.classList.toggle("new", count > 0);
}

for (const name of ["phones", "slack", "mail"] as const) tabs.set(name, h("a", { href: `#${name}`, class: "tab" }, LABELS[name]));
addEventListener("hashchange", place);

document.getElementById("stage")!.append(
  h(
    "header",
    {},
    h("div", { class: "title" }, h("h1", {}, "The stage"), lead),
    h("nav", { "aria-label": "Page" }, sound, canSpeak ? voice : null, link),
  ),
  faults.banner,
  alarm,
  h("nav", { class: "tabs", "aria-label": "Places" }, ...tabs.values()),
  h("main", {}, h("div", {}, ...Object.values(places)), faults.root),
  live,
);

function update(snapshot: Snapshot): void {
  last = snapshot;
  received(snapshot);
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
  slack.update(snapshot.slack, here() === "slack");
  mail.update(snapshot.mails, snapshot.smtp);
  const newest = snapshot.mails.at(-1)?.id ?? 0;
  if (mailsSeen < 0 || here() === "mail") mailsSeen = newest;
  badge("mail", snapshot.mails.filter((each) => each.id > mailsSeen).length);
  badge("slack", here() === "slack" ? 0 : slack.unread);
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
  badge("phones", here() === "phones" ? 0 : ringing.length);
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
  if (target?.closest("select, input, textarea, summary, a, dialog")) return;
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

place();

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
