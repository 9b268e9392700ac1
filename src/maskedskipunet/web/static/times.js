// Shows times in the viewer's own zone: <time datetime="…Z" data-show="time|date|ago">.

const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const otherDay = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const dateOnly = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function shown(time, style, now = new Date()) {
  if (style === "date") return dateOnly.format(time);
  if (style === "ago") return ago(time, now);
  return (time.toDateString() === now.toDateString() ? sameDay : otherDay).format(time);
}

function ago(time, now) {
  const seconds = (time - now) / 1000;
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? STEPS.at(-1);
  return relative.format(Math.round(seconds / size), unit);
}

export function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-show]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const text = shown(time, element.dataset.show);
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = full.format(time);
  }
}

export function zone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
