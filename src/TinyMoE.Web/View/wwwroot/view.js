// The connection, dark and light, and reading a heat map by pointer and by keys. Everything is told on the document: pages come and go.

// A server that has ended does not come back under an open page, so nobody asks it again and again: the page says so once.
let isLeaving = false;
addEventListener("pagehide", () => { isLeaving = true; });
const critical = 5; // of SignalR's levels: a connection that ends is no error of the page
Blazor.start({
  circuit: {
    configureSignalR: connection => connection.configureLogging(critical),
    reconnectionHandler: { onConnectionDown: sayEnded, onConnectionUp() {} },
  },
});

function sayEnded() {
  if (isLeaving) {
    return;
  }
  const ended = document.getElementById("ended");
  ended.setAttribute("role", "alert");
  ended.hidden = false;
  for (const part of document.querySelectorAll("header nav, main")) {
    part.inert = true; // to be read, but nobody is there to answer
  }
}

document.addEventListener("click", event => {
  if (event.target.closest("[data-reload]")) {
    location.reload();
  }
});

const root = document.documentElement;
const saved = localStorage.getItem("tinymoe-theme");
if (saved === "dark" || saved === "light") {
  root.dataset.theme = saved;
}

document.addEventListener("click", event => {
  if (!event.target.closest("[data-theme-switch]")) {
    return;
  }
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("tinymoe-theme", root.dataset.theme);
});

const cellOf = new WeakMap();

function show(map, column, expert) {
  const columns = map.dataset.heat.split(";");
  const steps = map.dataset.steps.split(",");
  const experts = Number(map.dataset.experts);
  column = Math.max(0, Math.min(columns.length - 1, column));
  expert = Math.max(0, Math.min(experts - 1, expert));
  cellOf.set(map, [column, expert]);
  const cursor = map.querySelector(".heat-cursor");
  cursor.setAttribute("x", column);
  cursor.setAttribute("y", expert);
  cursor.setAttribute("visibility", "visible");
  const times = Number(columns[column].split(",")[expert]) / 100;
  const share = 100 * times / experts;
  map.closest("figure").querySelector(".heat-said").textContent =
    `step ${steps[column]}, expert ${expert}: ${share.toFixed(1)} %, ${times.toFixed(2)} times even`;
}

document.addEventListener("pointermove", event => {
  const map = event.target.closest?.(".heat-map");
  if (!map) {
    return;
  }
  const box = map.getBoundingClientRect();
  const columns = map.dataset.steps.split(",").length;
  show(map, Math.floor((event.clientX - box.left) / box.width * columns),
    Math.floor((event.clientY - box.top) / box.height * Number(map.dataset.experts)));
});

const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", event => {
  const map = event.target.closest?.(".heat-map");
  if (!map || !moves[event.key]) {
    return;
  }
  event.preventDefault();
  const [column, expert] = cellOf.get(map) ?? [-1, -1];
  const [right, down] = cellOf.has(map) ? moves[event.key] : [1, 1];
  show(map, column + right, expert + down);
});

// The experts' grid: arrow keys go from cell to cell.
document.addEventListener("keydown", event => {
  const cell = event.target.closest?.(".experts td");
  const move = moves[event.key];
  if (!cell || !move) {
    return;
  }
  event.preventDefault();
  const rows = cell.closest("tbody").rows;
  rows[cell.parentElement.rowIndex - 1 + move[1]]?.cells[cell.cellIndex + move[0]]?.querySelector("button")?.focus();
});

// A text's tokens: the pointer or the keys choose one; the server is told through a field that nobody sees.
let told = 0;

function choose(token) {
  const choice = document.querySelector("[data-token-choice]");
  if (!choice || choice.value === token.dataset.token) {
    return;
  }
  choice.value = token.dataset.token;
  document.querySelector(".tokens .chosen")?.classList.remove("chosen");
  token.classList.add("chosen");
  clearTimeout(told);
  told = setTimeout(() => choice.dispatchEvent(new Event("change", { bubbles: true })), 40);
}

document.addEventListener("pointerover", event => {
  const token = event.target.closest?.("[data-token]");
  if (token) {
    choose(token);
  }
});

document.addEventListener("keydown", event => {
  const tokens = event.target.closest?.(".tokens");
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!tokens || !step) {
    return;
  }
  event.preventDefault();
  const at = Number(document.querySelector("[data-token-choice]")?.value || -1);
  const next = tokens.querySelector(`[data-token="${at + step}"]`);
  if (next) {
    choose(next);
    next.scrollIntoView({ block: "nearest" });
  }
});
