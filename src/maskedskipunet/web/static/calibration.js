// The budget slider: asks what each choice would give, and shows it in place. Without it, the form's button does.

import { showTimes } from "./times.js";

const form = document.querySelector("[data-budget]");
const outcome = document.querySelector("[data-outcome]");
const fault = document.querySelector("[data-fault]");
const WAIT_MS = 250; // until somebody has stopped moving

if (form && outcome) {
  const slider = form.querySelector("[data-slider]");
  const range = slider.querySelector("input");
  const number = form.elements.alarms;
  const steps = range.dataset.steps.split(" ").map(Number);
  let asked = null;
  let timer = 0;

  const nearest = (value) => steps.reduce((best, step, at) =>
    Math.abs(Math.log(step / value)) < Math.abs(Math.log(steps[best] / value)) ? at : best, 0);
  const place = () => {
    if (number.value > 0) range.value = nearest(Number(number.value));
    range.setAttribute("aria-valuetext", `${number.value} ${form.elements.per.selectedOptions[0].text}`);
  };

  const show = async () => {
    if (!form.checkValidity()) return;
    asked?.abort();
    const asking = asked = new AbortController();
    const address = `/calibration?${new URLSearchParams(new FormData(form))}`;
    outcome.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { headers: { "hx-request": "true" }, signal: asking.signal });
      const text = await answer.text();
      if (answer.headers.get("hx-redirect")) {
        location.assign(answer.headers.get("hx-redirect"));
        return;
      }
      if (answer.ok) {
        outcome.innerHTML = text; // from this page's own server, which escapes what it shows
        showTimes(outcome);
        history.replaceState(null, "", address);
      } else {
        fault.innerHTML = text;
      }
      fault.hidden = answer.ok;
      outcome.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name === "AbortError") return;
      fault.textContent = "The page cannot be reached. Is serve still running?";
      fault.hidden = false;
      outcome.removeAttribute("aria-busy");
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(show, WAIT_MS);
  };

  range.addEventListener("input", () => {
    number.value = steps[range.value];
    place();
  });
  form.addEventListener("input", (event) => {
    if (event.target !== range) place();
    soon();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show();
  });
  slider.hidden = false;
  form.querySelector("[data-show]").hidden = true;
  place();
}
