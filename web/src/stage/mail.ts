// The mailbox: what came, with its text and its page, links to be followed.
import { linked } from "./texts";
import { clock, h } from "./tools";
import type { Mail } from "./world";

export class MailView {
  readonly root: HTMLElement;
  private readonly list = h("ol", { class: "mails" });
  private readonly empty: HTMLElement;
  private shown = -1;

  constructor() {
    this.empty = h("div", { class: "empty" }, h("h2", {}, "No mail yet"), h("p", {}));
    this.root = h("section", { class: "mail", "aria-label": "Mail" }, this.empty, this.list);
  }

  update(mails: Mail[], smtp: string | null): void {
    this.empty.hidden = mails.length > 0;
    this.empty.lastElementChild!.textContent = smtp ? `What is sent to ${smtp} appears here.` : "This stage takes no mail.";
    const last = mails.at(-1)?.id ?? 0;
    if (last === this.shown) return;
    this.shown = last;
    const there = new Map([...this.list.children].map((node) => [(node as HTMLElement).dataset["id"], node]));
    this.list.replaceChildren(...[...mails].reverse().map((mail) => there.get(String(mail.id)) ?? this.row(mail)));
  }

  private row(mail: Mail): HTMLElement {
    const details = h(
      "details",
      {},
      h("summary", {}, h("b", {}, mail.subject || "(no subject)"), h("span", { class: "facts" }, `to ${mail.to.join(", ")}`), h("time", {}, clock(mail.at, true))),
    );
    details.addEventListener("toggle", () => {
      if (!details.open || details.childElementCount > 1) return;
      const body = h("div", { class: "parts" }, h("p", { class: "facts" }, `From ${mail.sender}`));
      if (mail.html) body.append(h("h2", {}, "As a page"), h("iframe", { src: `/stage/mails/${mail.id}/html`, title: `The page of “${mail.subject}”`, sandbox: "allow-popups allow-popups-to-escape-sandbox" }));
      if (mail.text !== null) body.append(h("h2", {}, "As text"), h("pre", { tabindex: "0", "aria-label": "The text of the mail" }, ...linked(mail.text)));
      details.append(body);
    });
    const item = h("li", {}, details);
    item.dataset["id"] = String(mail.id);
    return item;
  }
}
