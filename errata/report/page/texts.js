// Model text with stretches of it set off: key steps, answers, what was searched for.

/** `spans` are [start, end, class]; overlapping ones nest by being cut at every border. */
function spanned(text, spans, terms = []) {
  const hits = [];
  const low = terms.length ? text.toLowerCase() : "";
  if (low.length === text.length) {
    for (const term of terms) {
      for (let at = low.indexOf(term); at >= 0 && hits.length < 500; at = low.indexOf(term, at + term.length)) hits.push([at, at + term.length, "hit"]);
    }
  }
  const all = [...spans, ...hits];
  if (!all.length) return [text];
  const borders = [...new Set([0, text.length, ...all.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
  const nodes = [];
  for (let place = 0; place + 1 < borders.length; place++) {
    const [start, end] = [borders[place], borders[place + 1]];
    const piece = text.slice(start, end);
    const names = all.filter(([from, to]) => from <= start && to >= end).map(([, , name]) => name);
    nodes.push(names.length ? el(names.includes("hit") ? "mark" : "span", { className: [...new Set(names)].join(" ") }, piece) : piece);
  }
  return nodes;
}

const prose = (text, terms, spans = []) => el("div", { className: "text" }, spanned(text, spans, terms));

function folded(summary, ...inside) {
  return el("details", {}, el("summary", {}, summary), ...inside);
}

/** Whether every step is true, where that is known. */
function soundness(sound) {
  if (sound === undefined || sound === null) return null;
  return sound ? mark("plain", "sound") : mark("wrong", "unsound");
}

/** The verdict on a rationale: by the gold answer, else as it is estimated. */
function grade({ correct, estimated }) {
  if (estimated !== undefined && correct === undefined) return mark("plain", `estimated ${estimated > 0.5 ? "right" : "wrong"}: ${estimated.toFixed(2)}`);
  if (correct === undefined || correct === null) return mark("plain", "not graded");
  return correct ? mark("right", "✓ right") : mark("wrong", "✗ wrong");
}
