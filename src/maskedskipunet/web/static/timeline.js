// A camera's scores over time on a canvas: asked for in a reduced form, as many points as there are pixels.

import { shown } from "./times.js";

const SHORTEST_S = 30;
const LONGEST_S = 400 * 86400;
const LEFT = 8;
const BOTTOM = 26;
const TOP = 22;

const root = document.querySelector("[data-timeline]");
if (root) start(root);

function start(root) {
  const canvas = root.querySelector("canvas");
  const camera = root.dataset.timeline;
  const now = () => Date.now() / 1000;
  const fromAddress = new URLSearchParams(location.hash.slice(1));
  const lastDay = root.dataset.lastDay ? Date.parse(`${root.dataset.lastDay}T00:00:00Z`) / 1000 : 0;
  const view = { start: Number(fromAddress.get("start")), end: Number(fromAddress.get("end")), following: false };
  if (!(view.end > view.start && view.start > 0)) {
    view.end = lastDay && lastDay + 86400 < now() ? lastDay + 86400 : now();
    view.start = view.end - 86400;
    view.following = view.end > now() - 60;
  }
  let data = null;
  let asked = null;
  let timer = 0;

  const span = () => view.end - view.start;
  const width = () => canvas.clientWidth - 2 * LEFT;
  const toX = (time) => LEFT + ((time - view.start) / span()) * width();
  const toTime = (x) => view.start + ((x - LEFT) / width()) * span();

  function show(start, end, { follow = false } = {}) {
    const length = Math.min(Math.max(end - start, SHORTEST_S), LONGEST_S);
    const middle = (start + end) / 2;
    view.start = Math.max(middle - length / 2, 1);
    view.end = view.start + length;
    view.following = follow;
    document.querySelector("[data-now]").setAttribute("aria-pressed", String(follow));
    draw();
    clearTimeout(timer);
    timer = setTimeout(ask, 90);
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const query = new URLSearchParams({ start: view.start, end: view.end, points: Math.max(50, Math.min(3000, Math.round(width()))) });
    try {
      const response = await fetch(`/timeline/${encodeURIComponent(camera)}/data?${query}`, { signal: asked.signal, headers: { accept: "application/json" } });
      if (response.redirected) location.reload();
      if (!response.ok) throw new Error(`the page answered ${response.status}`);
      data = await response.json();
      setFault("");
    } catch (error) {
      if (error.name === "AbortError") return;
      setFault(`The scores cannot be shown: ${error.message}.`);
      return;
    }
    history.replaceState(null, "", `#start=${view.start.toFixed(0)}&end=${view.end.toFixed(0)}`);
    draw();
    list();
  }

  function setFault(text) {
    const place = document.querySelector("[data-fault]");
    place.textContent = text;
    place.hidden = !text;
  }

  function draw() {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.font = `12px ${style.fontFamily}`;
    drawTicks(pen, w, h, colour);
    document.querySelector("[data-range]").textContent = `${shown(new Date(view.start * 1000), "time", new Date(0))} – ${shown(new Date(view.end * 1000), "time", new Date(0))}`;
    if (!data) return;
    const { curve } = data;
    const values = [...curve.highest, ...curve.threshold.filter((value) => value !== null)];
    const top = 1.1 * values.reduce((most, value) => Math.max(most, value), 1e-9);
    const toY = (value) => TOP + (1 - Math.max(value, 0) / top) * (h - TOP - BOTTOM);
    const place = (at) => toX(curve.start_unix_s[at] + curve.step_s / 2);
    const isGap = (at) => at === 0 || curve.start_unix_s[at] - curve.start_unix_s[at - 1] > 3 * curve.step_s;
    pen.lineWidth = 1.5;
    line(pen, curve.mean, place, toY, isGap, colour("--muted"), 0.5);
    line(pen, curve.highest, place, toY, isGap, colour("--curve"), 1);
    pen.setLineDash([5, 4]);
    line(pen, curve.threshold, place, toY, isGap, colour("--threshold"), 1);
    pen.setLineDash([]);
    for (const mark of data.events) {
      const x = toX(mark.began_unix_s);
      const wide = Math.max((mark.duration_s / span()) * width(), 3); // a short event is still to be seen
      if (x + wide < LEFT || x > w - LEFT) continue;
      pen.fillStyle = colour(mark.answer === "normal" ? "--good" : mark.answer === "unsure" ? "--muted" : "--bad");
      pen.fillRect(x, 4, wide, 12);
      pen.globalAlpha = 0.12;
      pen.fillRect(x, 16, wide, h - BOTTOM - 16);
      pen.globalAlpha = 1;
    }
    if (!curve.start_unix_s.length) {
      pen.fillStyle = colour("--muted");
      pen.textAlign = "center";
      pen.fillText("No scores were recorded in this time.", w / 2, h / 2);
    }
  }

  function line(pen, values, place, toY, isGap, colour, alpha) {
    pen.strokeStyle = colour;
    pen.globalAlpha = alpha;
    pen.beginPath();
    let isDrawing = false;
    for (let at = 0; at < values.length; at += 1) {
      if (values[at] === null) {
        isDrawing = false;
        continue;
      }
      if (isDrawing && !isGap(at)) pen.lineTo(place(at), toY(values[at]));
      else {
        pen.moveTo(place(at) - 1, toY(values[at]));
        pen.lineTo(place(at), toY(values[at]));
      }
      isDrawing = true;
    }
    pen.stroke();
    pen.globalAlpha = 1;
  }

  function drawTicks(pen, w, h, colour) {
    const steps = [1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 2 * 86400, 7 * 86400, 30 * 86400];
    const step = steps.find((size) => (size / span()) * width() > 95) ?? steps.at(-1);
    const format = new Intl.DateTimeFormat(undefined, step >= 86400 ? { month: "short", day: "numeric" } : step >= 60 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    pen.strokeStyle = colour("--line");
    pen.fillStyle = colour("--muted");
    pen.textAlign = "center";
    const offset = new Date(view.start * 1000).getTimezoneOffset() * 60;
    for (let time = Math.ceil((view.start - offset) / step) * step + offset; time < view.end; time += step) {
      const x = Math.round(toX(time)) + 0.5;
      pen.beginPath();
      pen.moveTo(x, TOP);
      pen.lineTo(x, h - BOTTOM + 4);
      pen.stroke();
      pen.fillText(format.format(new Date(time * 1000)), Math.min(Math.max(x, 28), w - 28), h - 8);
    }
  }

  function list() {
    const strongest = [...data.events].sort((one, other) => other.top_score - one.top_score).slice(0, 40);
    strongest.sort((one, other) => one.began_unix_s - other.began_unix_s);
    const place = document.querySelector("[data-marks]");
    place.replaceChildren(...strongest.map((mark) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `/events/${encodeURIComponent(mark.id)}`;
      const time = shown(new Date(mark.began_unix_s * 1000), "time");
      link.textContent = `${time}, ${mark.duration_s.toFixed(0)} s, score ${mark.top_score.toPrecision(3)}${mark.answer ? `, ${mark.answer}` : ""}`;
      item.append(link);
      return item;
    }));
    const count = data.events.length;
    document.querySelector("[data-count]").textContent = count === 0 ? "none" : `${data.all ? count : `more than ${count}`}${count > 40 ? ", the strongest 40:" : ""}`;
  }

  function zoom(factor, x = LEFT + width() / 2) {
    const middle = toTime(x);
    show(middle - (middle - view.start) * factor, middle + (view.end - middle) * factor);
  }

  function move(share) {
    show(view.start + share * span(), view.end + share * span());
  }

  function toNow() {
    const length = span();
    show(now() - length, now(), { follow: true });
  }

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / width());
    else zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), event.offsetX);
  }, { passive: false });

  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.offsetX);
    if (pointers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    canvas.title = markAt(event.offsetX) ? "Open this event" : "";
    if (before === undefined) return;
    moved += Math.abs(event.offsetX - before);
    if (pointers.size === 1) move((before - event.offsetX) / width());
    else {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
      const [was, is] = [Math.abs(before - other), Math.abs(event.offsetX - other)];
      if (was > 5 && is > 5) zoom(was / is, (event.offsetX + other) / 2);
    }
    pointers.set(event.pointerId, event.offsetX);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      const mark = name === "pointerup" && moved < 4 ? markAt(event.offsetX) : null;
      if (mark) location.href = `/events/${encodeURIComponent(mark.id)}`;
    });
  }

  function markAt(x) {
    const near = (mark) => {
      const left = toX(mark.began_unix_s);
      const right = left + Math.max((mark.duration_s / span()) * width(), 3);
      return x < left ? left - x : x > right ? x - right : 0;
    };
    const found = (data?.events ?? []).filter((mark) => near(mark) <= 5);
    return found.sort((one, other) => near(one) - near(other) || other.top_score - one.top_score)[0];
  }

  canvas.addEventListener("keydown", (event) => {
    const act = {
      ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), PageUp: () => move(-0.9), PageDown: () => move(0.9),
      "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), Home: toNow,
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  for (const button of document.querySelectorAll("[data-span]")) {
    button.addEventListener("click", () => {
      const length = Number(button.dataset.span);
      if (view.following) show(now() - length, now(), { follow: true });
      else show((view.start + view.end - length) / 2, (view.start + view.end + length) / 2);
    });
  }
  for (const button of document.querySelectorAll("[data-move]")) button.addEventListener("click", () => move(Number(button.dataset.move)));
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
  document.querySelector("[data-now]").addEventListener("click", toNow);
  document.querySelector("[data-jump]").addEventListener("submit", (event) => {
    event.preventDefault();
    const time = new Date(event.target.elements.time.value).getTime() / 1000;
    const length = Math.min(span(), 3600);
    if (Number.isFinite(time)) show(time - length / 2, time + length / 2);
  });
  document.querySelector("[data-submit]").addEventListener("change", (event) => event.target.form.submit());

  new ResizeObserver(() => draw()).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  setInterval(() => {
    if (view.following && !document.hidden && pointers.size === 0) show(now() - span(), now(), { follow: true });
  }, 5000);
  show(view.start, view.end, { follow: view.following });
}
