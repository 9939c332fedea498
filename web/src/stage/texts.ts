// The texts of one phone: a thread with a box to answer in.
import { button, clock, h, text } from "./tools";
import { type Phone, send, type Text, type TextHabit } from "./world";

const HABITS: { label: string; habit: TextHabit }[] = [
  { label: "Arrives", habit: { kind: "delivered" } },
  { label: "Arrives, and 5 s later is answered \"1\"", habit: { kind: "answer", words: "1", after: "5s" } },
  { label: "Leaves, and nothing more is heard", habit: { kind: "silent" } },
  { label: "The phone is off", habit: { kind: "undelivered" } },
  { label: "Never leaves", habit: { kind: "failed" } },
];

/** What became of a text, in a person's words. */
function fate(message: Text): { word: string; tone: "good" | "bad" | "dull" } {
  switch (message.status) {
    case "queued":
      return { word: message.problem ? "taken, never sent" : "on its way", tone: message.problem ? "bad" : "dull" };
    case "sent":
      return { word: "sent, no receipt", tone: "dull" };
    case "delivered":
      return { word: message.direction === "carrier" ? "by Twilio itself" : "arrived", tone: "good" };
    case "undelivered":
      return { word: `did not arrive (${message.error_code})`, tone: "bad" };
    case "failed":
      return { word: `never left (${message.error_code})`, tone: "bad" };
    case "received":
      return { word: message.problem ?? "sent", tone: message.problem ? "bad" : "good" };
  }
}

/** Words in which web addresses are links. */
export function linked(words: string): (Node | string)[] {
  return words.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)])/).map((part, n) => (n % 2 === 1 ? h("a", { href: part, target: "_blank", rel: "noreferrer" }, part) : part));
}

export class ThreadView {
  readonly root: HTMLElement;
  private readonly list = h("ol", { class: "thread" });
  private readonly quiet = h("p", { class: "no-history" }, "No texts yet.");
  private readonly stopped = h("p", { class: "problem", hidden: "" }, "Has answered STOP: texts to this phone are refused.");
  private readonly box = h("input", { type: "text", maxlength: "1600", placeholder: "Answer by text" });
  private readonly form: HTMLFormElement;
  private readonly habit = h("select");
  private rows = "";

  constructor(private phone: Phone) {
    const name = phone.name ?? phone.number;
    this.box.setAttribute("aria-label", `Answer by text from ${name}'s phone`);
    this.form = h("form", { class: "write" }, this.box, h("button", { type: "submit", class: "small" }, "Send"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.answer(this.box.value);
    });
    for (const word of ["1", "ack", "STOP"]) {
      this.form.append(button(word, "small quick", () => this.answer(word), `Answer ${word} from ${name}'s phone`));
    }
    this.habit.append(...HABITS.map((each) => h("option", { value: JSON.stringify(each.habit) }, each.label)));
    this.habit.addEventListener("change", () => void send("text_habits", { number: this.phone.number, habit: JSON.parse(this.habit.value) as TextHabit }));
    const habit = h("label", { class: "habit stacked" }, h("span", {}, "When a text comes"), this.habit);
    this.root = h("div", { class: "texts" }, h("h2", {}, "Texts"), this.quiet, this.list, this.stopped, this.form, habit);
  }

  private answer(words: string): void {
    if (words.trim() === "") return;
    this.box.value = "";
    void send("texts/reply", { number: this.phone.number, body: words });
  }

  update(phone: Phone): void {
    this.phone = phone;
    this.quiet.hidden = phone.texts.length > 0;
    this.form.hidden = !phone.texts.some((message) => message.to === phone.number && message.from.startsWith("+"));
    this.stopped.hidden = !phone.stopped;
    const wanted = JSON.stringify(phone.text_habit);
    if (![...this.habit.options].some((option) => option.value === wanted)) this.habit.append(h("option", { value: wanted }, "As a script says"));
    this.habit.value = wanted;
    const rows = JSON.stringify(phone.texts.map((message) => [message.sid, message.status, message.body, message.problem]));
    if (rows === this.rows) return;
    this.rows = rows;
    this.list.replaceChildren(
      ...phone.texts.map((message) => {
        const { word, tone } = fate(message);
        const note = h("small", { class: tone });
        text(note, `${clock(message.created_at, true)} · ${word}`);
        return h("li", { class: message.from === phone.number ? "mine" : "theirs" }, h("p", {}, ...linked(message.body)), note);
      }),
    );
    this.list.scrollTop = this.list.scrollHeight;
  }
}
