// The few things that a page needs a script for. Without it every form still works.
"use strict";

// After a refusal the focus goes to the list of errors, so that it is read out and seen.
function focusErrors(root) {
  const place = root.querySelector?.("[data-takes-focus]");
  if (place) place.focus();
}

// What a swap changed is said once, in the page's one live region.
function announce(root) {
  const words = root.querySelector?.("[data-announce]")?.dataset.announce;
  const live = document.getElementById("live");
  if (words && live && live.textContent !== words) live.textContent = words;
}

document.addEventListener("DOMContentLoaded", () => focusErrors(document));
document.addEventListener("htmx:after:swap", (event) => {
  const root = event.target instanceof Element ? event.target : document;
  focusErrors(root);
  announce(document);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  // "/" goes to the search field; M opens the form that moves the visit that has the focus.
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (event.key === "m" || event.key === "M") {
    const move = event.target.closest?.("[data-move]")?.dataset.move;
    if (move) window.location.assign(move);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-print]")) window.print();
});
