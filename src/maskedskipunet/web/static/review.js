// The review list and an event's page: keys, clips, many answers at once, and news of events that came meanwhile.

import { announce, isTyping } from "./page.js";

let current = document.querySelector("[data-single]")?.dataset.card ?? null;

const cards = () => [...document.querySelectorAll("[data-card]")];
const currentCard = () => document.querySelector(`[data-card="${CSS.escape(current ?? "")}"]`);

function choose(card, { scroll = true } = {}) {
  if (!card) return;
  document.querySelector(".card.current")?.classList.remove("current");
  current = card.dataset.card;
  card.classList.add("current");
  card.focus({ preventScroll: true });
  if (scroll) card.scrollIntoView({ block: "center", behavior: "instant" });
}

function step(by) {
  const single = document.querySelector("[data-single]");
  if (single) {
    document.querySelector(by > 0 ? "[data-before]" : "[data-after]")?.click();
    return;
  }
  const all = cards();
  const at = all.findIndex((card) => card.dataset.card === current);
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  if (at === all.length - 1 && by > 0) document.querySelector("[data-more]")?.click();
  choose(next);
}

function play(card) {
  const video = card?.querySelector("video");
  if (video) {
    if (video.paused) video.play();
    else video.pause();
    return;
  }
  const button = card?.querySelector("[data-play]");
  if (!button) {
    announce("There is no clip of this event.");
    return;
  }
  const clip = document.createElement("video");
  Object.assign(clip, { src: button.dataset.play, controls: true, muted: true, playsInline: true, autoplay: true });
  const media = card.querySelector("[data-media]");
  clip.poster = media.querySelector("img")?.src ?? "";
  media.replaceChildren(clip);
  see(card.dataset.card);
}

function see(id) {
  const csrf = document.querySelector("input[name=csrf]")?.value ?? "";
  fetch(`/events/${encodeURIComponent(id)}/seen`, { method: "POST", body: new URLSearchParams({ csrf }) }).catch(() => {});
}

function press(card, key) {
  const button = card?.querySelector(`[data-key="${key}"]`);
  if (button) button.click();
  else if (key === "u") document.getElementById("undo-last")?.requestSubmit();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const card = currentCard() ?? (["n", "a", "s", " "].includes(event.key) ? cards()[0] : null);
  const act = {
    j: () => step(1),
    k: () => step(-1),
    " ": () => play(card),
    n: () => press(card, "n"),
    a: () => press(card, "a"),
    s: () => press(card, "s"),
    u: () => press(currentCard(), "u"),
    x: () => card?.querySelector("[data-choose]")?.click(),
    h: () => document.querySelector("[data-heat-toggle]")?.click(),
  }[event.key];
  if (event.key === "Enter" && event.target === currentCard()) {
    event.target.querySelector("h2 a")?.click();
    return;
  }
  if (!act) return;
  if (event.key === " " && event.target instanceof Element && event.target.closest("button, a, summary, [type=checkbox], video")) {
    if (!event.target.closest("video, [data-key]")) return; // space presses what has the focus
  }
  event.preventDefault();
  if (card && card.dataset.card !== current) choose(card, { scroll: false });
  act();
});

document.addEventListener("click", (event) => {
  const card = event.target instanceof Element ? event.target.closest("[data-card]") : null;
  if (card && card.dataset.card !== current) {
    document.querySelector(".card.current")?.classList.remove("current");
    current = card.dataset.card;
    card.classList.add("current");
  }
  const button = event.target instanceof Element ? event.target.closest("[data-play]") : null;
  if (button) play(card);
});

// After an answer the part of the card is another: tell it to whoever does not see it.
document.addEventListener("htmx:after:swap", told);
document.addEventListener("htmx:afterSwap", told);
function told() {
  const part = currentCard()?.querySelector("[data-answer-of]");
  const text = part?.querySelector(".answered")?.textContent.trim().replace(/\s+/g, " ");
  announce(text ? `Answered: ${text}` : "No answer.");
}

// Many at once.
const many = document.querySelector("[data-many]");
function countChosen() {
  if (!many) return;
  const chosen = document.querySelectorAll("[data-choose]:checked").length;
  many.hidden = chosen === 0;
  many.querySelector("[data-many-count]").textContent = chosen === 1 ? "1 event chosen" : `${chosen} events chosen`;
}
document.addEventListener("change", (event) => event.target.matches?.("[data-choose]") && countChosen());
many?.querySelector("[data-many-clear]").addEventListener("click", () => {
  for (const box of document.querySelectorAll("[data-choose]:checked")) box.checked = false;
  countChosen();
});
countChosen();

// A card's clip moves a line over the curve of its scores.
const clip = document.querySelector("[data-clip]");
const curve = document.querySelector("[data-curve]");
if (clip && curve) {
  const line = curve.querySelector("[data-playhead]");
  const [start, end] = [Number(curve.dataset.start), Number(curve.dataset.end)];
  const began = Number(clip.dataset.clipStart);
  const move = () => {
    const across = (600 * (began + clip.currentTime - start)) / (end - start);
    line.setAttribute("x1", across);
    line.setAttribute("x2", across);
    line.setAttribute("visibility", "visible");
  };
  clip.addEventListener("timeupdate", move);
  clip.addEventListener("seeking", move);
  curve.addEventListener("click", (event) => {
    const box = curve.getBoundingClientRect();
    const time = start + ((event.clientX - box.left) / box.width) * (end - start) - began;
    if (time >= 0 && time <= clip.duration) clip.currentTime = time;
  });
}

// The heat map lies over the picture of the peak while its button is pressed.
document.querySelector("[data-heat-toggle]")?.addEventListener("click", (event) => {
  const layer = document.querySelector("[data-heat]");
  layer.hidden = !layer.hidden;
  event.currentTarget.setAttribute("aria-pressed", String(!layer.hidden));
});

document.querySelector("[data-copy-link]")?.addEventListener("click", async (event) => {
  const link = location.origin + location.pathname;
  try {
    await navigator.clipboard.writeText(link);
    event.target.textContent = "Copied";
  } catch {
    event.target.textContent = link; // to be copied by hand, where the page is not served over TLS
  }
});

// Events that come while the list is open are announced, and shown when asked for.
const notice = document.querySelector("[data-new-events]");
if (notice) {
  let first = null;
  let stream = null;
  const listen = () => {
    if (document.hidden || stream) return;
    stream = new EventSource("/live/stream");
    stream.addEventListener("state", (event) => {
      const { newest } = JSON.parse(event.data);
      if (!newest) return;
      first ??= newest;
      if (newest === first || !notice.hidden) return;
      notice.hidden = false;
      notice.querySelector("[data-new-count]").textContent = "There are new events.";
      announce("There are new events.");
    });
  };
  const stop = () => {
    stream?.close();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  addEventListener("pagehide", stop);
  listen();
}
