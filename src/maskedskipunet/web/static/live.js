// Keeps the live page up to date: a stream of the server's own, which a hidden tab closes.

const PATIENCE_MS = 6000; // the server ends each connection after some minutes, and the browser opens the next

let stream = null;
let interruption = null; // the timer of one that has not been told yet

function open() {
  if (stream || document.hidden) return;
  stream = new EventSource("/live/stream");
  stream.addEventListener("state", (event) => {
    forgetInterruption();
    show(JSON.parse(event.data));
  });
  stream.onerror = ({ target }) => {
    if (target.readyState === EventSource.CLOSED) setFault("The page was refused what it shows. Load it again.");
    else interruption ??= setTimeout(setFault, PATIENCE_MS, "The connection to the page is lost; trying again.");
  };
}

function close() {
  forgetInterruption();
  stream?.close();
  stream = null;
}

function forgetInterruption() {
  clearTimeout(interruption);
  interruption = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();

function show(state) {
  setFault(state.fault);
  setText("[data-live-warning]", state.warning);
  if (state.fault) return;
  const place = document.querySelector("[data-tiles]");
  const known = new Set([...place.querySelectorAll("[data-tile]")].map((tile) => tile.dataset.tile));
  if (known.size !== state.tiles.length || state.tiles.some((tile) => !known.has(tile.id))) {
    location.reload(); // another watch, with other cameras
    return;
  }
  for (const tile of state.tiles) showTile(document.getElementById(`tile-${tile.id}`), tile);
  const word = document.querySelector("[data-live-state]");
  const text = state.watched ? "A watch is running." : "No watch is running.";
  if (word && word.textContent !== text) word.textContent = text;
  replace(document.querySelector("[data-newest]"), state.events);
}

function showTile(element, tile) {
  replace(element.querySelector("[data-tile-body]"), tile.html);
  const image = element.querySelector("[data-picture]");
  if (image.dataset.picture === String(tile.version)) return;
  image.dataset.picture = tile.version;
  const next = new Image();
  next.onload = () => {
    image.src = next.src;
    image.classList.remove("broken");
  };
  next.src = `/cameras/${encodeURIComponent(tile.id)}/picture.jpg?v=${tile.version}`;
}

const last = new WeakMap();
function replace(element, html) {
  if (!element || last.get(element) === html) return;
  last.set(element, html);
  if (element.contains(document.activeElement)) return; // whoever is there with the keyboard stays there
  element.innerHTML = html;
}

function setFault(text) {
  setText("[data-live-fault]", text);
}

function setText(selector, text) {
  const place = document.querySelector(selector);
  if (place.textContent !== (text ?? "")) place.textContent = text ?? "";
  place.hidden = !text;
}
