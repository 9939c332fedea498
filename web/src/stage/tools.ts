// Small tools: elements, icons, times, what the browser remembers.
import type { Call, Speech } from "./world";


type Child = Node | string | null;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null) node.append(child);
  return node;
}

export function button(label: string, kind: string, act: () => void, spoken?: string): HTMLButtonElement {
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

export type Picture = keyof typeof PATHS;

export function icon(name: Picture): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", name);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function text(node: Element, value: string): void {
  if (node.textContent !== value) node.textContent = value;
}

export function clock(at: number, seconds = false): string {
  // On the night shift 03:00 and 15:00 must not look alike.
  return new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) });
}

export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function remembered(name: string): boolean {
  try {
    return localStorage.getItem(`stage.${name}`) === "yes";
  } catch {
    return false;
  }
}

export function remember(name: string, value: boolean): void {
  try {
    localStorage.setItem(`stage.${name}`, value ? "yes" : "no");
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

export const names = (list: string[]): string => new Intl.ListFormat("en").format(list);

/** The part of a phrase that has been said by then. A phrase takes about a second for fifteen characters, and may be cut short. */
export function heard(line: Speech, at: number): { words: string; whole: boolean } {
  const words = line.text.split(" ");
  const length = Math.max(1000, (line.text.length * 1000) / 15);
  const part = Math.min(1, Math.max(0, (Math.min(at, line.until) - line.from) / length));
  const count = part >= 0.99 ? words.length : Math.floor(part * words.length) + 1;
  return { words: words.slice(0, count).join(" "), whole: count >= words.length };
}

export const isOver = (call: Call): boolean => !["queued", "ringing", "in-progress"].includes(call.status);

