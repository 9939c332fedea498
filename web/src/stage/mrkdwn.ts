// Slack's markup as people see it. Everything becomes text nodes: what senders wrote stays words.
import { h } from "./tools";
import type { Slack } from "./world";

const EMOJI: Record<string, string> = {
  rotating_light: "🚨",
  red_circle: "🔴",
  large_orange_circle: "🟠",
  large_yellow_circle: "🟡",
  large_green_circle: "🟢",
  large_blue_circle: "🔵",
  white_circle: "⚪",
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  no_entry: "⛔",
  warning: "⚠️",
  bell: "🔔",
  telephone_receiver: "📞",
  eyes: "👀",
  fire: "🔥",
  pushpin: "📌",
  clipboard: "📋",
  hourglass_flowing_sand: "⏳",
  construction: "🚧",
  memo: "📝",
  link: "🔗",
  zzz: "💤",
  bust_in_silhouette: "👤",
  mega: "📣",
  wave: "👋",
  thread: "🧵",
  calendar: "📅",
  speech_balloon: "💬",
};

const plain = (words: string): string => words.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export const emoji = (name: string): string => EMOJI[name] ?? `:${name}:`;

function withEmoji(words: string): string {
  return plain(words).replace(/:([a-z0-9_+-]+):/g, (whole, name: string) => EMOJI[name] ?? whole);
}

/** `<!date^1438138800^{time}|03:00>`: a moment in the reader's own time. */
function moment(body: string, fallback: string): string {
  const [seconds, format = ""] = body.split("^");
  const at = new Date(Number(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const date = at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const said = format.replace(/\{time_secs\}/g, at.toLocaleTimeString("en-GB")).replace(/\{time\}/g, time);
  return said.replace(/\{(ago|date[a-z_]*)\}/g, date) || fallback;
}

function angled(inside: string, slack: Slack): Node {
  const bar = inside.indexOf("|");
  const [body, label] = bar < 0 ? [inside, ""] : [inside.slice(0, bar), inside.slice(bar + 1)];
  if (body.startsWith("@")) return h("span", { class: "mention" }, `@${nameOf(body.slice(1), slack)}`);
  if (body.startsWith("#")) {
    const room = slack.rooms.find((each) => each.id === body.slice(1));
    return h("span", { class: "mention" }, `#${room?.name ?? (label || body.slice(1))}`);
  }
  if (body.startsWith("!date^")) return document.createTextNode(moment(body.slice(6), plain(label)));
  if (body.startsWith("!")) return h("span", { class: "mention" }, `@${label || body.slice(1)}`);
  if (/^(https?:\/\/|mailto:)/.test(body)) return h("a", { href: plain(body), target: "_blank", rel: "noreferrer" }, plain(label || body));
  return document.createTextNode(plain(`<${inside}>`));
}

export function nameOf(user: string, slack: Slack): string {
  if (user === slack.bot) return "reveille";
  if (user === "USLACKBOT") return "Slackbot";
  return slack.people.find((person) => person.id === user)?.handle ?? user;
}

const INLINE = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<!\w)_(\S(?:[^_\n]*\S)?)_(?!\w)|(?<!\w)~(\S(?:[^~\n]*\S)?)~(?!\w)/g;

export function mrkdwn(words: string, slack: Slack): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  for (const found of words.matchAll(INLINE)) {
    if (found.index > from) nodes.push(document.createTextNode(withEmoji(words.slice(from, found.index))));
    from = found.index + found[0].length;
    const [, block, code, angle, bold, italic, struck] = found;
    if (block !== undefined) nodes.push(h("pre", {}, plain(block.replace(/^\n/, ""))));
    else if (code !== undefined) nodes.push(h("code", {}, plain(code)));
    else if (angle !== undefined) nodes.push(angled(angle, slack));
    else if (bold !== undefined) nodes.push(h("b", {}, ...mrkdwn(bold, slack)));
    else if (italic !== undefined) nodes.push(h("i", {}, ...mrkdwn(italic, slack)));
    else if (struck !== undefined) nodes.push(h("s", {}, ...mrkdwn(struck, slack)));
  }
  if (from < words.length) nodes.push(document.createTextNode(withEmoji(words.slice(from))));
  return nodes;
}

export const plainText = withEmoji;
