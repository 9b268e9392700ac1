// What every page has: times in the viewer's zone, the theme, the list of keys.

import { showTimes, zone } from "./times.js";

showTimes();
// Parts that are put into the page later have times too.
let isWaiting = false;
new MutationObserver(() => {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    showTimes();
  });
}).observe(document.body, { childList: true, subtree: true });
setInterval(() => showTimes(), 30_000);

for (const input of document.querySelectorAll("[data-zone]")) input.value = zone();
for (const input of document.querySelectorAll("[data-here]")) input.value = location.pathname + location.search;

document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // it holds for this page alone
  }
});

const keys = document.getElementById("keys");
document.querySelector("[data-help]")?.addEventListener("click", () => keys?.showModal());
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !isTyping(event.target)) keys?.showModal();
});

for (const image of document.querySelectorAll("img")) watchImage(image);
document.addEventListener("error", (event) => event.target instanceof HTMLImageElement && hideBroken(event.target), true);

function watchImage(image) {
  if (image.complete && image.naturalWidth === 0) hideBroken(image);
}

function hideBroken(image) {
  image.classList.add("broken");
}

export function isTyping(element) {
  return element instanceof HTMLElement && element.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;
}

export function announce(text) {
  const place = document.getElementById("announce");
  if (place) place.textContent = text;
}
