// The Slack workspace: rooms, messages made of blocks, the pinned board, dialogues, and a box to type in as one of its people.
import { emoji, mrkdwn, nameOf, plainText } from "./mrkdwn";
import { button, h, text } from "./tools";
import { type Block, type Element as BlockElement, type Message, type Modal, type Room, send, type Slack, type Words } from "./world";

const at = (ts: string): string => new Date(Number(ts) * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

export class SlackView {
  readonly root: HTMLElement;
  private readonly rooms = h("select", { "aria-label": "Room" });
  private readonly list = h("ul", { class: "rooms", "aria-label": "Rooms" });
  private readonly who = h("select", { "aria-label": "Who types" });
  private readonly title = h("h2");
  private readonly topic = h("p", { class: "topic" });
  private readonly marks = h("p", { class: "bookmarks" });
  private readonly pinned = h("details", { class: "pinned" });
  private readonly stream = h("div", { class: "messages", role: "log", "aria-label": "Messages", tabindex: "0" });
  private readonly members = h("p", { class: "facts" });
  private readonly box = h("input", { type: "text", class: "say", autocomplete: "off" });
  private readonly form: HTMLFormElement;
  private readonly thread = h("p", { class: "in-thread", hidden: "" });
  private readonly modal = h("dialog", { class: "modal" });
  private slack: Slack | null = null;
  private room = "C0INCIDENTS";
  private user = "";
  private replyTo: string | null = null;
  private drawn = "";
  private openModal = "";
  private seen = new Map<string, string>();
  private history: string[] = [];
  private known = 0;

  constructor() {
    this.rooms.addEventListener("change", () => this.go(this.rooms.value));
    this.who.addEventListener("change", () => {
      this.user = this.who.value;
      this.redraw();
    });
    this.form = h("form", { class: "write" }, this.box, h("button", { type: "submit", class: "small" }, "Send"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.say();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowUp" || this.box.value !== "") return;
      event.preventDefault();
      this.box.value = this.history.at(-1) ?? "";
    });
    const quick = h("div", { class: "quick-words", role: "group", "aria-label": "Commands at hand" });
    for (const words of ["help", "who", "ack", "oncall", "list"]) quick.append(button(`/incident ${words}`, "small quick", () => this.type(`/incident ${words}`)));
    this.modal.addEventListener("cancel", (event) => {
      event.preventDefault();
      void send("slack/close", { modal: this.openModal });
    });
    this.root = h(
      "section",
      { class: "slack", "aria-label": "Slack workspace" },
      h(
        "nav",
        { class: "side", "aria-label": "Workspace" },
        h("label", { class: "habit stacked" }, h("span", {}, "You are"), this.who),
        h("label", { class: "habit stacked narrow" }, h("span", {}, "Room"), this.rooms),
        this.list,
      ),
      h("div", { class: "room" }, this.title, this.topic, this.marks, this.members, this.pinned, this.stream, this.thread, this.form, quick),
      this.modal,
    );
  }

  /** Rooms where something was said since they were looked at. */
  get unread(): number {
    return this.slack ? this.visible().filter((room) => room.id !== this.room && this.isNew(room)).length : 0;
  }

  private isNew(room: Room): boolean {
    const last = room.messages.filter((message) => this.sees(message)).at(-1);
    return last !== undefined && this.seen.get(room.id) !== last.ts;
  }

  private sees(message: Message): boolean {
    return message.only_for === null || message.only_for === this.user;
  }

  private visible(): Room[] {
    const mine = (room: Room): boolean => room.kind === "public" || room.members.includes(this.user);
    return (this.slack?.rooms ?? []).filter(mine);
  }

  private nameOfRoom(room: Room): string {
    if (room.kind === "public") return `# ${room.name}`;
    if (room.kind === "private") return `🔒 ${room.name}`;
    return "✉ reveille, to you alone";
  }

  private go(room: string): void {
    this.room = room;
    this.replyTo = null;
    this.redraw();
    this.stream.scrollTop = this.stream.scrollHeight;
  }

  private redraw(): void {
    this.drawn = "";
    if (this.slack) this.update(this.slack, false);
  }

  private say(): void {
    const words = this.box.value.trim();
    if (words === "") return;
    this.history.push(words);
    this.box.value = "";
    this.type(words);
  }

  private type(words: string): void {
    // People type the name; Slack sends the id.
    const named = words.replace(/(^|\s)@([a-z0-9_.-]+)/g, (whole, before: string, handle: string) => {
      if (handle === "reveille") return `${before}<@${this.slack?.bot}>`;
      const person = this.slack?.people.find((each) => each.handle === handle);
      return person ? `${before}<@${person.id}>` : whole;
    });
    void send("slack/type", { user: this.user, room: this.room, text: named, thread: this.replyTo });
  }

  update(slack: Slack, isShown: boolean): void {
    this.slack = slack;
    this.user ||= slack.people[0]?.id ?? "";
    // A new room is looked at once, when the page has nothing better to show.
    if (this.known !== 0 && slack.rooms.length > this.known && isShown && this.box.value === "") {
      const newest = slack.rooms.filter((room) => room.kind === "public" || room.kind === "private").at(-1);
      if (newest && newest.messages.length < 5) this.room = newest.id;
    }
    this.known = slack.rooms.length;
    const room = this.visible().find((each) => each.id === this.room) ?? this.visible()[0];
    if (!room) return;
    this.room = room.id;
    const last = room.messages.filter((message) => this.sees(message)).at(-1);
    if (last && (isShown || !this.seen.has(room.id))) this.seen.set(room.id, last.ts);
    const drawn = JSON.stringify([slack.rooms, slack.modals, this.user, this.room, this.replyTo]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.drawSide();
    this.drawRoom(room);
    this.drawModal();
  }

  private drawSide(): void {
    const slack = this.slack!;
    if (this.who.options.length !== slack.people.length) {
      this.who.replaceChildren(...slack.people.map((person) => h("option", { value: person.id }, `${person.name} (@${person.handle})`)));
    }
    this.who.value = this.user;
    const rooms = this.visible();
    this.rooms.replaceChildren(...rooms.map((room) => h("option", { value: room.id }, `${this.nameOfRoom(room)}${room.archived ? " (archived)" : ""}`)));
    this.rooms.value = this.room;
    this.list.replaceChildren(
      ...rooms.map((room) => {
        const node = button(this.nameOfRoom(room), `room-link${room.archived ? " archived" : ""}${this.isNew(room) ? " new" : ""}`, () => this.go(room.id));
        if (room.id === this.room) node.setAttribute("aria-current", "true");
        return h("li", {}, node);
      }),
    );
  }

  private drawRoom(room: Room): void {
    const slack = this.slack!;
    text(this.title, this.nameOfRoom(room));
    this.topic.replaceChildren(...mrkdwn(room.topic, slack));
    this.topic.hidden = room.topic === "";
    this.marks.replaceChildren(...room.bookmarks.map((mark) => h("a", { href: mark.link, target: "_blank", rel: "noreferrer" }, `${mark.emoji ? `${emoji(mark.emoji.replaceAll(":", ""))} ` : ""}${mark.title}`)));
    this.marks.hidden = room.bookmarks.length === 0;
    const members = room.members.map((user) => nameOf(user, slack));
    text(this.members, room.kind === "direct" ? "" : `${members.length} here: ${members.join(", ")}${room.archived ? ". Archived." : ""}`);
    const pins = room.pins.map((ts) => room.messages.find((message) => message.ts === ts)).filter((message) => message !== undefined);
    const wasOpen = this.pinned.open || this.pinned.dataset["room"] !== room.id;
    this.pinned.dataset["room"] = room.id;
    this.pinned.hidden = pins.length === 0;
    this.pinned.replaceChildren(h("summary", {}, `${pins.length} pinned`), ...pins.map((message) => this.body(message, room)));
    this.pinned.open = wasOpen;
    const atEnd = this.stream.scrollTop + this.stream.clientHeight >= this.stream.scrollHeight - 60;
    const shown = room.messages.filter((message) => this.sees(message));
    const items: HTMLElement[] = shown.map((message) => this.item(message, room));
    if (room.forgotten > 0) items.unshift(h("div", { class: "told-by-slack" }, `${room.forgotten} earlier messages are not shown.`));
    if (items.length === 0) items.push(h("div", { class: "told-by-slack" }, "Nothing has been said here yet."));
    this.stream.replaceChildren(...items);
    if (atEnd) this.stream.scrollTop = this.stream.scrollHeight;
    this.form.hidden = room.archived;
    this.box.placeholder = room.kind === "direct" ? "Message reveille, or /incident …" : `Message #${room.name}, /incident … or @reveille …`;
    this.box.setAttribute("aria-label", this.box.placeholder);
    this.thread.hidden = this.replyTo === null;
    this.thread.replaceChildren("In a thread, where slash commands do not work. ", button("Leave the thread", "small", () => this.leaveThread()));
  }

  private leaveThread(): void {
    this.replyTo = null;
    this.redraw();
  }

  private item(message: Message, room: Room): HTMLElement {
    const slack = this.slack!;
    if (message.subtype !== null) return h("div", { class: "told-by-slack" }, h("b", {}, nameOf(message.user, slack)), " ", ...mrkdwn(message.text, slack), " ", h("time", {}, at(message.ts)));
    const item = h("div", { class: `message${message.by_app ? " by-app" : ""}${message.only_for ? " ephemeral" : ""}${message.thread_ts && message.thread_ts !== message.ts ? " reply" : ""}` });
    const head = h("p", { class: "by" }, h("b", {}, nameOf(message.user, slack)), message.by_app ? h("span", { class: "app" }, "APP") : null, h("time", {}, at(message.ts)));
    if (message.edits > 0) head.append(h("span", { class: "facts" }, "(edited)"));
    if (!message.only_for && !room.archived) head.append(button("Reply", "plain", () => this.replyIn(message.thread_ts ?? message.ts), `Reply in a thread to ${nameOf(message.user, slack)} at ${at(message.ts)}`));
    item.append(head);
    if (message.only_for) item.append(h("p", { class: "only" }, "Only visible to you"));
    item.append(this.body(message, room));
    if (message.reactions.length > 0) item.append(h("p", { class: "reactions" }, ...message.reactions.map((each) => h("span", { title: each.users.map((user) => nameOf(user, slack)).join(", ") }, `${emoji(each.name)} ${each.users.length}`))));
    return item;
  }

  private replyIn(ts: string): void {
    this.replyTo = ts;
    this.redraw();
    this.box.focus();
  }

  private body(message: Message, room: Room): HTMLElement {
    const slack = this.slack!;
    const body = h("div", { class: "blocks" });
    if (message.blocks.length === 0) body.append(h("div", { class: "section" }, ...mrkdwn(message.text, slack)));
    for (const block of message.blocks) body.append(this.block(block, message, room));
    return body;
  }

  private words(words: Words | string | undefined): Node[] {
    if (words === undefined) return [];
    if (typeof words === "string") return mrkdwn(words, this.slack!);
    return words.type === "mrkdwn" ? mrkdwn(words.text, this.slack!) : [document.createTextNode(plainText(words.text))];
  }

  private block(block: Block, message: Message, room: Room): HTMLElement {
    switch (block.type) {
      case "header":
        return h("h3", {}, ...this.words(block.text));
      case "divider":
        return h("hr");
      case "context":
        return h("div", { class: "context" }, ...(block.elements ?? []).map((each) => h("span", {}, ...((each.type as string) === "image" ? [each.alt_text ?? ""] : this.words(each as unknown as Words)))));
      case "actions":
        return h("div", { class: "actions" }, ...(block.elements ?? []).map((each) => this.press(each, block, message, room)));
      case "image":
        return h("p", { class: "facts" }, `[picture: ${block.alt_text ?? ""}]`);
      case "section": {
        const node = h("div", { class: "section" }, h("div", {}, ...this.words(block.text)));
        if (block.fields) node.append(h("div", { class: "fields" }, ...block.fields.map((field) => h("div", {}, ...this.words(field)))));
        if (block.accessory && block.accessory.type !== "image") node.append(this.press(block.accessory, block, message, room));
        return node;
      }
      default:
        return h("div", { class: "section" }, ...this.words(block.text));
    }
  }

  /** An element that can be used. Buttons work here; lists are shown with what they hold. */
  private press(element: BlockElement, block: Block, message: Message, room: Room): HTMLElement {
    const what = { user: this.user, room: room.id, ts: message.ts, block_id: block.block_id, action_id: element.action_id };
    if (element.type !== "button") {
      const list = h("select", { "aria-label": element.placeholder?.text ?? "Choose" }, h("option", { value: "" }, element.placeholder?.text ?? "Choose"));
      const users = element.type === "users_select";
      const options = users ? this.slack!.people.map((person) => [person.id, person.name] as const) : (element.options ?? []).map((option) => [option.value, option.text.text] as const);
      list.append(...options.map(([value, label]) => h("option", { value }, label)));
      list.addEventListener("change", () => list.value !== "" && void send("slack/press", { ...what, choice: list.value }));
      return list;
    }
    const node = button("", `slack-button ${element.style ?? ""}`, () => {
      const ask = element.confirm;
      if (ask && !confirm(`${ask.title.text}\n\n${ask.text.text}`)) return;
      if (element.url) open(element.url, "_blank", "noreferrer");
      void send("slack/press", what);
    });
    node.append(...this.words(element.text));
    return node;
  }

  private drawModal(): void {
    const modal = this.slack!.modals.find((each) => each.user === this.user);
    if (!modal) {
      this.openModal = "";
      if (this.modal.open) this.modal.close();
      return;
    }
    const key = JSON.stringify(modal);
    if (this.openModal === modal.id && this.modal.dataset["drawn"] === key) return;
    const kept = this.openModal === modal.id ? this.values() : {};
    this.openModal = modal.id;
    this.modal.dataset["drawn"] = key;
    const form = h("form", {}, h("h2", {}, modal.view.title.text));
    if (modal.errors[""]) form.append(h("p", { class: "problem", role: "alert" }, modal.errors[""]));
    for (const block of modal.view.blocks) form.append(this.field(block, modal, kept));
    const close = button(modal.view.close?.text ?? "Cancel", "small", () => void send("slack/close", { modal: modal.id }));
    form.append(h("p", { class: "ends" }, close, modal.view.submit ? h("button", { type: "submit", class: "small primary" }, modal.view.submit.text) : null));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void send("slack/submit", { modal: modal.id, values: this.values() });
    });
    this.modal.setAttribute("aria-label", modal.view.title.text);
    this.modal.replaceChildren(form);
    if (!this.modal.open) this.modal.showModal();
  }

  private values(): Record<string, string> {
    const values: Record<string, string> = {};
    for (const input of this.modal.querySelectorAll<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>("[data-block]")) {
      const chosen = input instanceof HTMLSelectElement && input.multiple ? [...input.selectedOptions].map((option) => option.value).join(",") : input.value;
      values[input.dataset["block"]!] = chosen;
    }
    return values;
  }

  private field(block: Block, modal: Modal, kept: Record<string, string>): HTMLElement {
    if (block.type !== "input" || !block.element) return h("div", { class: "section" }, ...this.words(block.text));
    const element = block.element;
    const choice = /select|radio|checkboxes/.test(element.type);
    let input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;
    if (choice) {
      const list = h("select", /multi|checkboxes/.test(element.type) ? { multiple: "" } : {});
      const people = element.type.includes("users");
      const options = people ? this.slack!.people.map((person) => [person.id, person.name] as const) : (element.options ?? []).map((option) => [option.value, option.text.text] as const);
      if (!list.multiple) list.append(h("option", { value: "" }, element.placeholder?.text ?? ""));
      list.append(...options.map(([value, label]) => h("option", { value }, label)));
      list.value = kept[block.block_id] ?? element.initial_option?.value ?? element.initial_user ?? "";
      input = list;
    } else {
      input = element.multiline ? h("textarea", { rows: "4" }) : h("input", { type: "text" });
      input.placeholder = element.placeholder?.text ?? "";
      input.value = kept[block.block_id] ?? element.initial_value ?? "";
    }
    input.dataset["block"] = block.block_id;
    if (!block.optional) input.setAttribute("required", "");
    const label = h("label", { class: "field" }, h("span", {}, `${block.label?.text ?? ""}${block.optional ? " (optional)" : ""}`), input);
    if (block.hint) label.append(h("small", {}, block.hint.text));
    const error = modal.errors[block.block_id];
    if (error) label.append(h("small", { class: "problem", role: "alert" }, error));
    return label;
  }
}

