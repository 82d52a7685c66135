// The bedside page: the timer runs, the pad types, and what was typed outlives a swap and a lost connection.
"use strict";

(() => {
  const page = () => document.getElementById("bedside");
  let drafts = {}; // what is typed into the set of vital signs, in this page's memory only
  let due = null;
  let active = null; // the field that the pad types into

  const entry = () => document.querySelector("[data-entry]");
  const fields = () => [...(entry()?.querySelectorAll(".signs input") ?? [])];

  function words(seconds) {
    const minutes = Math.floor(seconds / 60);
    return `${String(minutes).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  }

  // Elapsed time as the server said it, and this device's own stopwatch since: its wall clock doesn't matter.
  function startTimer() {
    const timer = document.querySelector("[data-timer][data-running]");
    if (!timer || timer.dataset.from) return;
    timer.dataset.from = String(performance.now());
  }

  function tick() {
    startTimer(); // a swap may have brought a new one this very moment
    const timer = document.querySelector("[data-timer][data-running]");
    if (!timer) return;
    const seconds = Number(timer.dataset.seconds) + Math.floor((performance.now() - Number(timer.dataset.from)) / 1000);
    timer.textContent = words(seconds);
    const bar = document.querySelector("[data-timer-bar]");
    if (bar) bar.value = Math.min(seconds, bar.max);
  }

  function choose(field) {
    for (const other of fields()) other.classList.toggle("typing", other === field);
    active = field;
  }

  function dressEntry() {
    const form = entry();
    if (!form) return;
    form.querySelector("[data-pad]").hidden = false;
    if (form.dataset.entry !== due) {
      due = form.dataset.entry;
      drafts = {};
    }
    for (const field of fields()) {
      // The pad is enough: no keyboard over half of the tablet. A real keyboard still types.
      if (matchMedia("(pointer: coarse)").matches) field.inputMode = "none";
      if (!field.value && drafts[field.name]) field.value = drafts[field.name];
    }
    choose(fields().find((field) => !field.value && !field.placeholder) ?? fields()[0]);
  }

  // Three digits, or two that can't have a third, and the next field is ready.
  function full(field) {
    const most = { systolic: 3, diastolic: 3, heart_rate: 3, spo2: 3, respiratory_rate: 2, moaas: 1 }[field.name];
    const small = field.name === "spo2" || field.name === "diastolic" || field.name === "heart_rate";
    return field.value.length >= most || (small && field.value.length === 2 && Number(field.value) > 30);
  }

  function press(digit) {
    const field = active ?? fields()[0];
    if (!field) return;
    field.value = digit === "back" ? field.value.slice(0, -1) : (field.value + digit).slice(0, 3);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    const all = fields();
    const next = all[all.indexOf(field) + 1];
    (digit !== "back" && full(field) && next ? next : field).focus();
  }

  function setOffline(off) {
    const notice = document.querySelector("[data-offline]");
    if (notice) notice.hidden = !off;
  }

  function dress() {
    startTimer();
    dressEntry();
  }

  // What is half typed in another form than the one sent survives the swap that the sent one brings.
  let halfTyped = [];

  function remember(sent) {
    const all = [...(page()?.querySelectorAll("input[id], textarea[id]") ?? [])];
    halfTyped = all
      .filter((field) => field.form !== sent && field.type !== "checkbox" && field.value !== field.defaultValue)
      .map(({ id, value, defaultValue }) => ({ id, value, defaultValue }));
  }

  function giveBack() {
    for (const { id, value, defaultValue } of halfTyped) {
      const field = document.getElementById(id);
      if (field && field.value === defaultValue) field.value = value;
    }
    halfTyped = [];
  }

  // The set that asks has changed, and nothing is typed: show the right one. Otherwise the nurse finishes first.
  function follow() {
    const asks = document.querySelector("[data-due]")?.dataset.due;
    const form = entry();
    if (!asks || !form || form.dataset.entry === asks || form.querySelector("[name=corrects]")) return;
    if (fields().every((field) => !field.value) && !document.querySelector(":popover-open")) window.location.reload();
  }

  document.addEventListener("DOMContentLoaded", () => {
    dress();
    setInterval(tick, 1000);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".signs input")) choose(event.target);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.(".signs input")) drafts[event.target.name] = event.target.value;
  });
  document.addEventListener("click", (event) => {
    const key = event.target.closest?.("[data-digit]");
    if (key) press(key.dataset.digit);
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const kept = ctx?.response && ctx.response.status < 400;
    setOffline(false);
    if (kept && ctx.sourceElement?.matches?.("[data-entry]")) drafts = {};
  });
  document.addEventListener("htmx:response:error", (event) => {
    const status = event.detail.ctx?.response?.status;
    if (status === 401 || status >= 500) setOffline(true);
  });
  document.addEventListener("htmx:error", () => setOffline(true));
  document.addEventListener("htmx:before:swap", (event) => remember(event.detail.ctx?.sourceElement));
  document.addEventListener("htmx:after:swap", () => {
    if (!page()) return;
    giveBack();
    dress();
    follow();
  });
})();
