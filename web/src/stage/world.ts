// What the stage tells the page about itself, and how the page tells the stage what people do.
import { h, text } from "./tools";

export type Status = "queued" | "ringing" | "in-progress" | "completed" | "busy" | "failed" | "no-answer" | "canceled";
export type Speech = { text: string; language: string | null; from: number; until: number };
export type Delivery = {
  kind: "status" | "twiml" | "keys" | "text";
  told: string;
  tries: number;
  outcome: { kind: "answered"; status: number } | { kind: "failed"; why: string };
};
export type Call = {
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
export type Habit =
  | { kind: "manual" }
  | { kind: "answer_and_press"; keys: string; after: string }
  | { kind: "voicemail"; after: string }
  | { kind: "decline" }
  | { kind: "unreachable" };
export type TextHabit = { kind: "delivered" | "silent" | "undelivered" | "failed" } | { kind: "answer"; words: string; after: string };
export type Text = {
  sid: string;
  direction: "api" | "reply" | "inbound" | "carrier";
  to: string;
  from: string;
  body: string;
  status: "queued" | "sent" | "delivered" | "undelivered" | "failed" | "received";
  created_at: number;
  error_code: number | null;
  problem: string | null;
};
export type Phone = { number: string; name: string | null; habit: Habit; calls: Call[]; text_habit: TextHabit; texts: Text[]; stopped: boolean };
export type Mail = { id: number; at: number; from: string; to: string[]; subject: string; sender: string; text: string | null; html: boolean };
export type Words = { type: "plain_text" | "mrkdwn"; text: string };
export type Option = { text: Words; value: string };
export type Element = {
  type: string;
  action_id?: string;
  text?: Words;
  url?: string;
  value?: string;
  style?: "primary" | "danger";
  confirm?: { title: Words; text: Words; confirm: Words; deny: Words };
  options?: Option[];
  initial_value?: string;
  initial_option?: Option;
  initial_user?: string;
  placeholder?: Words;
  multiline?: boolean;
  image_url?: string;
  alt_text?: string;
};
export type Block = {
  type: string;
  block_id: string;
  text?: Words | string;
  fields?: Words[];
  elements?: (Element & Partial<Words>)[];
  accessory?: Element;
  element?: Element;
  label?: Words;
  hint?: Words;
  optional?: boolean;
  image_url?: string;
  alt_text?: string;
  title?: Words;
};
export type Message = {
  ts: string;
  user: string;
  by_app: boolean;
  text: string;
  blocks: Block[];
  thread_ts: string | null;
  subtype: string | null;
  only_for: string | null;
  edits: number;
  reactions: { name: string; users: string[] }[];
};
export type Room = {
  id: string;
  name: string;
  kind: "public" | "private" | "direct" | "group";
  topic: string;
  archived: boolean;
  members: string[];
  messages: Message[];
  forgotten: number;
  pins: string[];
  bookmarks: { id: string; title: string; link: string; emoji: string | null }[];
};
export type Person = { id: string; handle: string; name: string };
export type Modal = {
  id: string;
  user: string;
  view: { title: Words; submit: Words | null; close: Words | null; blocks: Block[] };
  errors: Record<string, string>;
};
export type SlackFault = { kind: "hang" | "nonsense" | "do_but_hang" | "do_but_drop" } | { kind: "rate_limited"; retry_after: number } | { kind: "refuse"; status: number };
export type Slack = {
  bot: string;
  command: string;
  people: Person[];
  rooms: Room[];
  modals: Modal[];
  fault: SlackFault | null;
  fault_until: number | null;
  events_twice: boolean;
  requests: number;
};
export type MailFault = { kind: "hang" | "unknown_recipient" | "take_but_drop" | "take_but_hang" | "drop_in_mail" } | { kind: "refuse"; code: number };
export type Fault = { kind: "refuse"; status: number; code: number } | { kind: Exclude<FaultKind, "refuse" | "none"> };
export type FaultKind = "none" | "hang" | "refuse" | "accept_and_do_nothing" | "place_but_hang" | "place_but_drop" | "nonsense";
export type Callbacks = { kind: "on" | "off" | "twice" } | { kind: "late"; by: string };
export type Snapshot = {
  now: number;
  reveille_url: string | null;
  fault: Fault | null;
  callbacks: Callbacks;
  requests: number;
  hanging: number;
  phones: Phone[];
  mails: Mail[];
  mail_fault: MailFault | null;
  smtp: string | null;
  slack: Slack;
};

/** How far the stage's clock is ahead of this browser's, milliseconds. */
let ahead = 0;
export const now = (): number => Date.now() + ahead;

export const alarm = h("p", { class: "alarm", role: "alert", hidden: "" });

export async function send(path: string, body: unknown): Promise<void> {
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

export function complain(why: string): void {
  text(alarm, why);
  alarm.hidden = false;
}

export const act = (sid: string, what: string, key?: string): void => void send(`calls/${sid}/${what}`, key === undefined ? {} : { key });

/** A snapshot came: from now on its clock is ours. */
export function received(snapshot: Snapshot): void {
  ahead = snapshot.now - Date.now();
}
