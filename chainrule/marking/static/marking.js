// The marking page: one answer after the other, by keyboard. The server decides; this page keeps only a draft.
"use strict";

const page = document.body.dataset;
const at = (id) => document.getElementById(id);
const maximum = Number(page.maximum);
const second = Boolean(page.second);
const tab = unique();
const RETRY = [300, 700, 1500, 3000, 5000, 8000, 12000]; // milliseconds

// crypto.randomUUID needs https
function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

let shown = null; // the answer as the server told it
let draft = null; // what the marker wants: ticked, own, comment, flagged
let busy = false;
let started = 0;
let token = "";
let question = "";
let rubric = {version: "", rows: []};
let found = [];
let chosen = 0;
let change = null;
let agreed = "";
let stayed = 0;

// ---- talking to the server ------------------------------------------------------------------------------------

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function post(action, body, options = {}) {
  const request = {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-XSRFToken": page.xsrf},
    body: JSON.stringify({tab, second, question, rubric: rubric.version, ...body}),
    keepalive: Boolean(options.keepalive),
  };
  for (let attempt = 0; ; attempt += 1) {
    let problem;
    try {
      const reply = await fetch(`${page.item}/${action}`, request);
      const data = await reply.json();
      if (reply.ok) return data;
      if (reply.status !== 503) throw Object.assign(new Error(data.error), {status: reply.status});
      problem = data.error;
    } catch (error) {
      if (error.status) throw error;
      problem = problem || "The server does not answer.";
    }
    if (attempt >= RETRY.length || options.once) throw new Error(`${problem} Your ticks are kept; try again.`);
    say(`${problem} Trying again…`);
    await pause(RETRY[attempt]);
  }
}

async function work(action, body, show) {
  if (busy) {
    say("Wait: the last key is still being saved.");
    return;
  }
  busy = true;
  document.body.classList.add("busy");
  try {
    const reply = await post(action, body);
    say("");
    show(reply);
  } catch (error) {
    say(error.message);
    if (error.status === 409 && shown && action !== "open") offerAgain();
  } finally {
    busy = false;
    document.body.classList.remove("busy");
  }
}

function say(text) {
  at("said").textContent = text;
}

function offerAgain() {
  const button = document.createElement("button");
  button.textContent = "Show it as it is now";
  button.addEventListener("click", () => open(shown.who, 0));
  at("said").append(" ", button);
}

// ---- showing an answer ----------------------------------------------------------------------------------------

function show(reply) {
  if (reply.rubric) takeRubric(reply.rubric);
  if (reply.questionHtml !== undefined) {
    question = reply.question;
    at("question").innerHTML = reply.questionHtml;
    at("scheme").innerHTML = reply.schemeHtml;
    showMistakes(reply.mistakes);
  }
  if (reply.progress) {
    const {total, waiting} = reply.progress;
    at("progress").max = Math.max(1, total);
    at("progress").value = total - waiting;
    at("progress-text").textContent = `${total - waiting} of ${total} marked`;
  }
  if (reply.compared) {
    compare(reply.compared);
    return;
  }
  if (reply.done) {
    finish(reply);
    return;
  }
  if (reply.equalDone) say(`${reply.equalDone} equal answers got the same.`);
  if (reply.undone > 1) say(`${reply.undone} marks were taken back: this one, and those of equal answers.`);
  shown = reply;
  token = unique();
  started = Date.now();
  const kept = JSON.parse(sessionStorage.getItem(key()) || "null");
  draft = kept || {ticked: [...reply.ticked], own: reply.own, comment: reply.comment, flagged: reply.flagged};
  draft.ticked = draft.ticked.filter((row) => rubric.rows.some((one) => one.id === row));
  at("answer").innerHTML = reply.html;
  at("answer").removeAttribute("aria-busy");
  at("note").textContent = reply.note;
  at("position").textContent = reply.position;
  at("results").textContent = reply.results.length ? `Checks of this question: ${reply.results.join(" · ")}` : "";
  at("difference-box").hidden = !reply.difference;
  at("difference").innerHTML = reply.difference;
  at("around-box").open = false;
  at("around").replaceChildren();
  at("equal").hidden = !reply.equal || second;
  at("equal").innerHTML = "";
  at("equal").append(`Save, and ${reply.equal} equal ones `, Object.assign(document.createElement("kbd"), {textContent: "A"}));
  at("whose").textContent = "";
  at("whole").href = `${page.item}/notebook/${reply.who}`;
  at("csv").href = `${page.item}/marking.csv`;
  linksLeave();
  closeFinder();
  document.activeElement?.blur();
  window.scrollTo(0, 0);
  render();
}

// a link of a student's opens elsewhere: this page keeps the answer
function linksLeave() {
  for (const link of document.querySelectorAll("#work a[href], #scheme a[href], #rows a[href]")) link.target = "_blank";
}

const key = () => `draft/${page.item}/${second}/${shown.who}/${shown.answer}/${shown.revision}`;

function finish(reply) {
  shown = null;
  draft = null;
  const held = reply.held.map((one) => `${one.by} until ${new Date(one.until * 1000).toLocaleTimeString()}`);
  at("answer").replaceChildren();
  at("answer").removeAttribute("aria-busy");
  at("difference-box").hidden = true;
  at("note").textContent = held.length
    ? `${reply.progress.waiting} waiting, held by ${held.join(", ")}.`
    : second ? "No answer wants a second look."
      : reply.progress.total ? "Nothing waits here: done." : "No graded hand-in has an answer to this item.";
  at("position").textContent = "";
  at("results").textContent = "";
  render();
}

function takeRubric(next) {
  const kept = new Map(rubric.rows.map((row) => [row.id + row.text, row.html]));
  for (const row of next.rows) row.html = row.html ?? kept.get(row.id + row.text) ?? "";
  rubric = next;
  at("differs").hidden = !rubric.differs;
  at("lacks-box").hidden = !rubric.lacks.length;
  at("lacks").replaceChildren(...rubric.lacks.map((row) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${points(row.points)} ${row.text}`;
    button.addEventListener("click", () => proposeRow(row.points, row.text, row.id));
    line.append(button);
    return line;
  }));
  at("rows").replaceChildren(...rubric.rows.map((row) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.dataset.row = row.id;
    button.innerHTML = `<kbd></kbd> <b></b> <span></span>`;
    button.children[0].textContent = row.key;
    button.children[1].textContent = points(row.points);
    button.children[2].innerHTML = row.html;
    button.addEventListener("click", () => tick(row.id));
    line.append(button);
    return line;
  }));
  at("row-id").replaceChildren(new Option("a new row", ""), ...rubric.rows.map((row) => new Option(row.text, row.id)));
}

const points = (number) => String(Math.round(number * 1e6) / 1e6).replace("-", "−");

function showMistakes(mistakes) {
  at("mistakes-box").hidden = !mistakes.length;
  at("mistakes").replaceChildren(...mistakes.map((mistake) => {
    const line = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = mistake.text;
    button.addEventListener("click", () => addComment(mistake.text));
    line.append(button);
    if (mistake.costs !== null) {
      const row = document.createElement("button");
      row.type = "button";
      row.textContent = `as a row, −${mistake.costs}`;
      row.addEventListener("click", () => proposeRow(-mistake.costs, mistake.text));
      line.append(" ", row);
    }
    return line;
  }));
}

// ---- the draft ------------------------------------------------------------------------------------------------

function sum() {
  if (!draft) return null;
  if (draft.own !== null) return draft.own;
  if (!draft.ticked.length) return null;
  const total = rubric.rows.filter((row) => draft.ticked.includes(row.id)).reduce((all, row) => all + row.points, 0);
  return Math.max(0, Math.round(total * 1e6) / 1e6);
}

function render() {
  const total = sum();
  at("sum").textContent = total === null ? "–" : points(total);
  at("sum").classList.toggle("above", total !== null && total > maximum);
  for (const button of at("rows").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Boolean(draft && draft.ticked.includes(Number(button.dataset.row)))));
  }
  if (document.activeElement !== at("own")) at("own").value = draft && draft.own !== null ? draft.own : "";
  if (document.activeElement !== at("comment")) at("comment").value = draft ? draft.comment : "";
  at("flag").setAttribute("aria-pressed", String(Boolean(draft && draft.flagged)));
  at("usual").hidden = !usual();
  at("usual-text").textContent = usual();
}

function changed() {
  sessionStorage.setItem(key(), JSON.stringify(draft));
  render();
}

function tick(row) {
  if (!draft || busy) return;
  draft.own = null;
  draft.ticked = draft.ticked.includes(row) ? draft.ticked.filter((one) => one !== row) : [...draft.ticked, row];
  changed();
}

function all() {
  if (!draft || busy) return;
  const rows = rubric.rows.filter((row) => row.points > 0);
  const total = Math.round(rows.reduce((whole, row) => whole + row.points, 0) * 1e6) / 1e6;
  draft.ticked = rows.map((row) => row.id);
  draft.own = total === maximum ? null : maximum;
  changed();
}

function none() {
  if (!draft || busy) return;
  draft.ticked = [];
  draft.own = 0;
  changed();
}

function addComment(text) {
  if (!draft) return;
  const lines = draft.comment ? draft.comment.split("\n") : [];
  if (!lines.includes(text)) draft.comment = [...lines, text].join("\n");
  changed();
}

// the comment said most often with the same ticks
function usual() {
  if (!draft || draft.comment) return "";
  return shown.usual[[...draft.ticked].sort((a, b) => a - b).join(",")] || "";
}

function body() {
  return {
    who: shown.who, answer: shown.answer, revision: shown.revision, score: shown.score,
    gradebookComment: shown.gradebookComment, token, ticked: draft.ticked, own: draft.own,
    comment: draft.comment, flagged: draft.flagged, seconds: (Date.now() - started) / 1000,
  };
}

function save(action) {
  if (!draft) return;
  const total = sum();
  if (total === null && !draft.flagged) {
    say("Nothing is ticked: press 0 for no points.");
    return;
  }
  if (total !== null && total > maximum) {
    say(`${points(total)} is more than the item has (${maximum}): untick a row.`);
    return;
  }
  if (draft.own !== null && !(draft.own >= 0)) {
    say("Write points as a number from 0.");
    return;
  }
  const saved = key();
  work(action, {...body(), judged: total !== null}, (reply) => {
    sessionStorage.removeItem(saved);
    at("question-box").open = false;
    show(reply);
  });
}

function open(who, step) {
  work("open", {who, step}, show);
}

function next() {
  work("next", {after: shown ? shown.who : ""}, show);
}

// ---- comments said before -------------------------------------------------------------------------------------

function openFinder() {
  if (!draft) return;
  at("finder").hidden = false;
  at("find").value = "";
  search();
  at("find").focus();
}

function closeFinder() {
  at("finder").hidden = true;
}

function search() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  found = shown.comments.filter((text) => words.every((word) => text.toLowerCase().includes(word))).slice(0, 9);
  const typed = at("find").value.trim();
  if (typed && !found.includes(typed)) found.push(typed);
  chosen = 0;
  mark();
}

function mark() {
  at("found").replaceChildren(...found.map((text, number) => {
    const line = document.createElement("li");
    line.id = `found-${number}`;
    line.setAttribute("role", "option");
    line.setAttribute("aria-selected", String(number === chosen));
    line.textContent = text;
    line.addEventListener("mousedown", (event) => { event.preventDefault(); take(text); });
    return line;
  }));
  if (found.length) at("find").setAttribute("aria-activedescendant", `found-${chosen}`);
  else at("find").removeAttribute("aria-activedescendant");
}

function take(text) {
  if (text) addComment(text);
  closeFinder();
  at("find").blur();
}

at("find").addEventListener("input", search);
at("find").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % Math.max(1, found.length);
    mark();
  } else if (event.key === "Enter") {
    take(event.ctrlKey ? at("find").value.trim() : found[chosen]);
  } else if (event.key === "Escape") {
    take("");
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
});

// ---- the rubric -----------------------------------------------------------------------------------------------

function proposeRow(value, text, id = null) {
  at("rubric-box").open = true;
  at("row-id").value = id ?? "";
  at("row-points").value = value;
  at("row-text").value = text;
  at("row-removed").checked = false;
  at("row-agree").hidden = true;
  at("row-said").textContent = "";
  at("row-text").focus();
}

at("row-id").addEventListener("change", () => {
  const row = rubric.rows.find((one) => String(one.id) === at("row-id").value);
  at("row-points").value = row ? row.points : "";
  at("row-text").value = row ? row.text : "";
  at("row-removed").checked = false;
  at("row-agree").hidden = true;
  at("row-said").textContent = "";
});

at("row-form").addEventListener("input", () => { at("row-agree").hidden = true; });
at("row-form").addEventListener("submit", (event) => {
  event.preventDefault();
  change = {
    id: at("row-id").value ? Number(at("row-id").value) : null,
    points: Number(at("row-points").value.replace(",", ".").replace("−", "-")),
    text: at("row-text").value,
    removed: at("row-removed").checked,
  };
  work("row", {change}, (reply) => {
    agreed = reply.preview;
    at("row-said").textContent = reply.preview;
    at("row-agree").hidden = false;
    at("row-agree").focus();
  });
});
at("row-agree").addEventListener("click", () => work("row", {change, agreed}, (reply) => {
  takeRubric(reply.rubric);
  at("row-agree").hidden = true;
  at("row-said").textContent = `Done: ${reply.done}.`;
  at("row-agree").blur();
  render();
  // one's own answer may have been marked by the row
  if (shown && !shown.waits) open(shown.who, 0);
}));
at("write-scheme").addEventListener("click", () => work("scheme", {}, (reply) => {
  at("scheme-said").textContent = `Written into ${reply.written}.`;
}));

const later = (then) => setTimeout(then, 0); // when the reply has been dealt with

// ---- second looks, import, name -------------------------------------------------------------------------------

function compare(pair) {
  if (pair.first === pair.second) {
    say(`The first mark was ${points(pair.first)}, too.`);
    later(next);
    return;
  }
  at("compared-text").textContent =
    `${pair.marker} gave ${points(pair.first)}, you ${points(pair.second)}.` +
    (pair.comment ? ` The first comment: ${pair.comment}` : "");
  at("compared").dataset.who = pair.who;
  at("compared").showModal();
}


function settle(take) {
  at("compared").close();
  later(() => work("settle", {who: at("compared").dataset.who, take}, () => later(next)));
}

at("keep-first").addEventListener("click", () => settle(false));
at("take-second").addEventListener("click", () => settle(true));
at("compared").addEventListener("cancel", (event) => event.preventDefault());

at("import-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  let text;
  try {
    text = new TextDecoder("utf-8", {fatal: true}).decode(await at("import-file").files[0].arrayBuffer());
  } catch {
    say("The file is not in UTF-8: save it as CSV UTF-8.");
    return;
  }
  work("import", {text, overwrite: at("overwrite").checked}, (reply) => {
    at("import-said").replaceChildren(...reply.lines.map((line) =>
      Object.assign(document.createElement("p"), {textContent: line})));
  });
});

at("name-it").addEventListener("click", () => shown && work("name", {who: shown.who}, (reply) => {
  at("whose").textContent = reply.name;
}));

at("around-box").addEventListener("toggle", () => {
  if (at("around-box").open && shown && !at("around").hasChildNodes()) {
    const who = shown.who;
    post("around", {who}).then((reply) => {
      if (!shown || shown.who !== who) return;
      at("around").innerHTML = reply.html;
      linksLeave();
    }, (error) => say(error.message));
  }
});

// ---- keys and buttons -----------------------------------------------------------------------------------------

const repeat = () => { if (usual()) addComment(usual()); };
const toggle = (id) => { if (!at(id).hidden) at(id).open = !at(id).open; };
const focus = (id) => { at(id).focus(); at(id).select?.(); };
const flag = () => { if (draft) { draft.flagged = !draft.flagged; changed(); } };
const step = (by) => { if (shown) open(shown.who, by); };
const ACTIONS = {
  enter: () => (draft ? save("save") : next()),
  a: () => (shown && shown.equal && !second ? save("equal") : null),
  f: all, 0: none, ".": repeat, p: () => focus("own"), c: openFinder, g: flag,
  u: () => work("undo", {}, show), s: next,
  arrowleft: () => step(-1), arrowright: () => step(1),
  v: () => toggle("around-box"), d: () => toggle("difference-box"), m: () => toggle("scheme-box"),
  z: () => toggle("question-box"),
  "?": () => at("keys").showModal(),
};
const LOCAL = ["v", "d", "m", "z", "?"]; // they change nothing that is saved
const BUTTONS = {
  save: "enter", equal: "a", full: "f", none: "0", say: "c", usual: ".", flag: "g", undo: "u", skip: "s", before: "arrowleft",
  after: "arrowright", help: "?",
};
for (const [id, name] of Object.entries(BUTTONS)) {
  at(id).addEventListener("click", () => { at(id).blur(); ACTIONS[name](); });
}

// after a press of mouse or finger, Enter is for the answer again
document.addEventListener("click", (event) => {
  stay();
  if (event.detail) event.target.closest("button, summary")?.blur();
});

document.addEventListener("keydown", (event) => {
  stay();
  const name = event.key.toLowerCase();
  if (at("compared").open) {
    if (name === "1" || name === "2") settle(name === "2");
    return;
  }
  if (at("keys").open || event.ctrlKey || event.altKey || event.metaKey) return;
  const field = event.target.closest("input, textarea, select");
  if (field) {
    const leaves = name === "escape" || (name === "enter" && (field === at("own") || (field === at("comment") && event.ctrlKey)));
    if (leaves) { field.blur(); event.preventDefault(); }
    return;
  }
  if (event.target.closest("button, a, summary") && (name === "enter" || name === " ")) return;
  const row = rubric.rows.find((one) => one.key === name);
  if (event.repeat && (row || ACTIONS[name])) {
    // a key held down must not mark what nobody has read
  } else if (busy && (row || ACTIONS[name]) && !LOCAL.includes(name)) {
    say("Wait: the last key is still being saved.");
  } else if (row) {
    tick(row.id);
  } else if (ACTIONS[name]) {
    ACTIONS[name]();
  } else {
    return;
  }
  event.preventDefault();
});

at("own").addEventListener("input", () => {
  const text = at("own").value.trim().replace(",", ".");
  if (draft) { draft.own = text === "" ? null : Number(text); changed(); }
});
at("comment").addEventListener("input", () => {
  if (draft) { draft.comment = at("comment").value; changed(); }
});

function stay() {
  if (shown && Date.now() - stayed > 60000) {
    stayed = Date.now();
    post("stay", {}, {once: true}).catch(() => {});
  }
}

window.addEventListener("pagehide", () => {
  post("leave", {}, {keepalive: true, once: true}).catch(() => {});
});

if (page.who) open(page.who, 0);
else next();
