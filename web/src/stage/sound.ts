// The ring tone, and what is said on the phones, aloud.
import { isOver, remember, remembered } from "./tools";
import { type Call, now } from "./world";

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
export function ringTone(): void {
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

export const canSpeak = "speechSynthesis" in window;
let aloud = canSpeak && remembered("aloud");
const voiced = new Set<string>();

/** Says what begins now; what was said before the page was opened stays unsaid. */
export function speak(call: Call): void {
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

export const soundIsOn = (): boolean => !muted;
export const voiceIsOn = (): boolean => aloud;

export function setSound(on: boolean): void {
  muted = !on;
  remember("muted", muted);
  wakeAudio();
}

export function setVoice(on: boolean): void {
  aloud = on;
  remember("aloud", on);
  if (!on) speechSynthesis.cancel();
}
