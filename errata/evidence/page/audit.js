"use strict";
// Texts of the log go into the page by textContent alone. Marks are kept in this browser where it lets a file keep them.
(() => {
  const byId = (id) => document.getElementById(id);
  const { key, items } = JSON.parse(byId("data").textContent);
  const marks = stored();
  let at = Math.max(0, items.findIndex((item) => !marks[item.id]));

  function stored() {
    try {
      return JSON.parse(localStorage.getItem(key)) || {};
    } catch {
      return {};
    }
  }

  function keep() {
    try {
      localStorage.setItem(key, JSON.stringify(marks));
    } catch {
      // Some browsers keep nothing for files; the marks are lost with the page unless they are saved.
    }
    show();
  }

  function node(tag, text, properties = {}) {
    return Object.assign(document.createElement(tag), { textContent: text }, properties);
  }

  function show() {
    const item = items[at];
    const mark = marks[item.id];
    byId("question").textContent = item.question;
    byId("choices").replaceChildren(...item.choices.map((text, place) => node("li", `${String.fromCharCode(65 + place)}: ${text}`)));
    byId("steps").replaceChildren(...item.steps.map((text, place) => stepOf(text, place, mark)));
    byId("answer").textContent = item.answer;
    byId("place").textContent = `${at + 1} of ${items.length}, ${Object.keys(marks).length} marked`;
    for (const verdict of ["right", "wrong"]) {
      byId(verdict).setAttribute("aria-pressed", String(mark !== undefined && mark.verdict === verdict));
    }
  }

  function stepOf(text, place, mark) {
    const step = node("li", text.trimEnd(), { className: "step" });
    step.setAttribute("aria-current", String(mark !== undefined && mark.first_wrong_step === place));
    step.addEventListener("click", () => from(place));
    return step;
  }

  function judge(verdict) {
    marks[items[at].id] = { rationale: items[at].id, verdict };
    keep();
  }

  function from(place) {
    marks[items[at].id] = { rationale: items[at].id, verdict: "wrong", first_wrong_step: place };
    keep();
  }

  function move(by) {
    const mark = marks[items[at].id];
    const place = mark && mark.first_wrong_step !== undefined ? mark.first_wrong_step + by : by > 0 ? 0 : items[at].steps.length - 1;
    from(Math.min(Math.max(place, 0), items[at].steps.length - 1));
  }

  function clear() {
    delete marks[items[at].id];
    keep();
  }

  function turn(by) {
    at = Math.min(Math.max(at + by, 0), items.length - 1);
    show();
  }

  function save() {
    const lines = items.filter((item) => marks[item.id]).map((item) => `${JSON.stringify(marks[item.id])}\n`);
    const link = node("a", "", { href: URL.createObjectURL(new Blob(lines, { type: "application/jsonl" })), download: "marks.jsonl" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const acts = {
    r: () => judge("right"),
    w: () => judge("wrong"),
    c: clear,
    s: save,
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    ArrowRight: () => turn(1),
    ArrowLeft: () => turn(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  });
  const buttons = { right: acts.r, wrong: acts.w, clear, save, previous: acts.ArrowLeft, next: acts.ArrowRight };
  for (const [name, act] of Object.entries(buttons)) byId(name).addEventListener("click", act);
  show();
})();
