// Move a booked visit on the day's board: drag it, or focus it and press M, then the arrow keys. The server says which
// places there are and why another is none; whoever has no script has the form that M opens elsewhere.
"use strict";

(() => {
  const QUARTER = 3; // columns
  const STEP = 5; // minutes a column
  const wide = window.matchMedia("(width >= 760px)");
  let move = null; // what is being moved, if anything
  let grip = null; // where the pointer went down
  let dropped = 0; // when the last drag ended: its click opens nothing

  const words = () => document.getElementById("move-words").dataset;

  function say(text) {
    const live = document.getElementById("live");
    if (live && live.textContent !== text) live.textContent = text;
  }

  const base = (bar) => bar.dataset.move.slice(0, -"move".length);

  function clock(board, minute) {
    const hour = Math.floor(minute / 60);
    const rest = String(minute % 60).padStart(2, "0");
    if (board.dataset.twelve === undefined) return `${String(hour).padStart(2, "0")}:${rest}`;
    return `${hour % 12 || 12}:${rest} ${hour < 12 ? "AM" : "PM"}`;
  }

  function hint(board, text, refused = false) {
    const place = board.querySelector(".legend .end");
    if (!place) return;
    place.textContent = text;
    place.classList.toggle("refused", refused);
  }

  async function begin(bar, how) {
    const board = bar.closest(".board");
    const lane = bar.closest(".lane");
    const ghost = document.createElement("div");
    ghost.append(document.createElement("b"), document.createElement("span"));
    ghost.firstChild.textContent = bar.querySelector(".who").textContent;
    move = {
      bar, board, lane, how, ghost,
      lanes: [...board.querySelectorAll(".lane[data-room]")],
      from: Number(board.dataset.from),
      span: Number(bar.dataset.span),
      column: Number(bar.dataset.column),
      rooms: null,
      home: { lane, column: Number(bar.dataset.column) },
    };
    const mine = move;
    board.classList.add("moving");
    hint(board, how === "keys" ? words().places : words().drag);
    bar.classList.add("moved");
    draw();
    if (how === "keys") say(words().places);
    try {
      const url = `${base(bar)}places?day=${board.dataset.day}`;
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status);
      const { rooms } = await answer.json();
      if (move !== mine) return;
      move.rooms = rooms;
      mark();
      draw();
    } catch {
      if (move === mine) end(words().offline);
    }
  }

  function mark() {
    for (const lane of move.lanes) {
      for (const minute of Object.keys(move.rooms[lane.dataset.room] ?? {})) {
        const spot = document.createElement("span");
        spot.className = `spot at-${(Number(minute) - move.from) / STEP + 1} for-${QUARTER}`;
        lane.append(spot);
      }
    }
  }

  const minute = () => move.from + (move.column - 1) * STEP;
  const atHome = () => move.lane === move.home.lane && move.column === move.home.column;
  const place = () => move.rooms?.[move.lane.dataset.room]?.[minute()];

  function go(lane, column) {
    const last = move.from === undefined ? column : columns() - move.span + 1;
    const next = Math.min(Math.max(1, column), last);
    if (lane === move.lane && next === move.column) return;
    move.lane = lane;
    move.column = next;
    draw();
  }

  const columns = () => getComputedStyle(move.lane).gridTemplateColumns.split(" ").length;

  function draw() {
    const { ghost, lane, board } = move;
    const fits = atHome() || Boolean(place());
    ghost.className = `ghost at-${move.column} for-${move.span} ${move.rooms && !fits ? "refused" : "fits"}`;
    if (ghost.parentElement !== lane) lane.append(ghost);
    const where = `${lane.dataset.name}, ${clock(board, minute())}`;
    const state = atHome() ? words().here : !move.rooms ? "…" : fits ? words().free : words().taken;
    tell(`${where}: ${state}`);
    clearTimeout(move.asking);
    if (move.rooms && !fits) move.asking = setTimeout(ask, 180);
  }

  function tell(text) {
    move.ghost.lastChild.textContent = text;
    if (move.rooms || move.how !== "keys") say(text);
  }

  async function ask() {
    const mine = move;
    const { lane, column } = move;
    const query = new URLSearchParams({ day: move.board.dataset.day, minute: minute(), room: lane.dataset.room });
    try {
      const answer = await fetch(`${base(move.bar)}place?${query}`, { headers: { Accept: "application/json" } });
      const { why } = await answer.json();
      if (move === mine && move.lane === lane && move.column === column && why) tell(why);
    } catch {
      // It stays "not possible"; the server looks again before anything moves.
    }
  }

  function end(text) {
    const { bar, board, ghost, how } = move;
    clearTimeout(move.asking);
    move = grip = null; // given up with the button still down: the next twitch must not begin again
    ghost.remove();
    board.querySelectorAll(".spot").forEach((spot) => spot.remove());
    board.classList.remove("moving");
    hint(board, text || words().before, Boolean(text)); // whoever let go with the mouse hears nothing
    bar.classList.remove("moved");
    if (text) say(text);
    if (how === "keys") bar.querySelector(".who")?.focus();
  }

  async function put() {
    if (atHome()) return end(words().gaveUp);
    const at = place();
    if (!at) return move.how === "keys" ? ask() : end(move.ghost.lastChild.textContent);
    const { bar, lane, board } = move;
    const id = bar.id;
    const form = new URLSearchParams({
      place: `${at}~${lane.dataset.room}`,
      version: bar.dataset.version,
    });
    // Only a secure context has it; without it the version alone keeps a second sending from moving anything.
    if (window.crypto.randomUUID) form.set("request_key", window.crypto.randomUUID());
    try {
      const answer = await fetch(`${base(bar)}place?${board.dataset.query}`, {
        method: "POST",
        body: form,
        headers: { "HX-Request": "true", "HX-Request-Type": "partial" },
      });
      if (![200, 409, 422].includes(answer.status)) throw new Error(answer.status);
      const text = await answer.text();
      end("");
      const day = document.getElementById("day");
      day.innerHTML = text;
      say(document.getElementById("said")?.textContent.trim() ?? "");
      document.querySelector(`#${id} .who`)?.focus({ preventScroll: true });
    } catch {
      if (move) end(words().offline);
    }
    return undefined;
  }

  const KEYS = {
    ArrowLeft: () => go(move.lane, move.column - QUARTER),
    ArrowRight: () => go(move.lane, move.column + QUARTER),
    ArrowUp: () => go(beside(-1), move.column),
    ArrowDown: () => go(beside(1), move.column),
    Enter: put,
    Escape: () => end(words().gaveUp),
    Tab: () => end(words().gaveUp),
    m: () => window.location.assign(move.bar.dataset.move),
  };

  const beside = (way) => move.lanes[move.lanes.indexOf(move.lane) + way] ?? move.lane;

  // Before app.js, which opens the form for whoever is not moving.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key === "M" ? "m" : event.key;
    if (move) {
      const act = KEYS[key];
      if (!act) return;
      if (key !== "Tab") event.preventDefault();
      event.stopPropagation();
      act();
    } else if (key === "m") {
      const bar = event.target.closest?.("[data-move]");
      if (!bar || !wide.matches) return;
      event.preventDefault();
      event.stopPropagation();
      begin(bar, "keys");
    }
  }, true);

  document.addEventListener("pointerdown", (event) => {
    const bar = event.target.closest?.("[data-move]");
    const may = event.button === 0 && event.pointerType !== "touch" && wide.matches && !move;
    if (!bar || !may || event.target.closest("button, form")) return;
    grip = { bar, x: event.clientX, y: event.clientY, offset: event.clientX - bar.getBoundingClientRect().left };
  });

  document.addEventListener("pointermove", (event) => {
    if (grip && !move && Math.hypot(event.clientX - grip.x, event.clientY - grip.y) > 5) begin(grip.bar, "pointer");
    if (!move || move.how !== "pointer" || !grip) return;
    event.preventDefault();
    const lane = move.lanes.find((one) => {
      const box = one.getBoundingClientRect();
      return event.clientY >= box.top && event.clientY < box.bottom;
    }) ?? move.lane;
    const box = lane.getBoundingClientRect();
    const quarters = ((event.clientX - grip.offset - box.left) / box.width) * columns() / QUARTER;
    go(lane, Math.round(quarters) * QUARTER + 1);
  });

  document.addEventListener("pointerup", () => {
    grip = null;
    if (!move || move.how !== "pointer") return;
    dropped = Date.now();
    drop();
  });

  // Whoever drops at once has not heard yet which places there are.
  async function drop() {
    const mine = move;
    for (let waits = 0; move === mine && !move.rooms && waits < 50; waits += 1) await new Promise((go) => setTimeout(go, 60));
    if (move === mine) put();
  }

  document.addEventListener("pointercancel", () => {
    grip = null;
    if (move?.how === "pointer") end(words().gaveUp);
  });

  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.("[data-move]")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (Date.now() - dropped < 300 && event.target.closest?.(".board")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);

  // The board refreshes itself, but not under somebody's hand.
  document.addEventListener("htmx:before:request", (event) => {
    if (move && event.target?.id === "day") event.preventDefault();
  });
})();
