// Problem by problem: how every student answered, what a training cured and what it broke.

function changesOf(index) {
  const base = index.untouched.indexOf(true);
  const found = {};
  if (base < 0) return found;
  index.students.forEach((name, place) => {
    if (index.untouched[place]) return;
    for (const [what, before, after] of [["cured", "0", "1"], ["broken", "1", "0"]]) {
      const numbers = index.ids.map((_, n) => n).filter((n) => index.right[base][n] === before && index.right[place][n] === after);
      if (numbers.length) found[`${what} by ${name}`] = numbers;
    }
  });
  return found;
}

function verdictsOf(index) {
  const rights = index.ids.map((_, n) => index.right.map((student) => student[n]));
  const pick = (test) => rights.map((verdicts, n) => (test(verdicts) ? n : -1)).filter((n) => n >= 0);
  const found = { "all right": pick((verdicts) => verdicts.every((each) => each === "1")), "all wrong": pick((verdicts) => verdicts.every((each) => each === "0")) };
  found.differing = pick((verdicts) => new Set(verdicts).size > 1);
  return Object.fromEntries(Object.entries(found).filter(([, numbers]) => numbers.length));
}

/** How far the students are from agreeing on an item: 0 to half their number. */
function divided(index, n) {
  const right = index.right.filter((student) => student[n] === "1").length;
  return Math.min(right, index.right.length - right);
}

function itemRow(index, n) {
  const strip = index.right.map((student) => ({ 1: el("b", {}, "✓"), 0: el("i", {}, "✗") })[student[n]] ?? "·");
  const right = index.right.filter((student) => student[n] === "1").length;
  return [
    el("div", { className: "gist" }, index.questions[n]),
    el("div", { className: "meta" }, el("span", { className: "strip", "aria-hidden": "true" }, strip), ` ${right} of ${index.right.length} right · ${index.tasks[n] || index.ids[n]}`),
  ];
}

function itemOf(index, item, terms) {
  const cards = item.answers.map((answer, place) => {
    if (!answer) return null;
    const right = Number(answer.correct) > 0.5;
    const share = typeof answer.correct === "number" || answer.samples > 1 ? mark("plain", `${answer.right} of ${answer.samples} samples right`) : null;
    return el("article", { className: `card ${right ? "right" : "wrong"}` },
      el("header", {}, el("b", {}, index.students[place]), grade({ correct: right }), soundness(answer.sound), share,
        answer.mistake ? mark("plain", answer.mistake.replaceAll("_", " ")) : null,
        answer.truncated ? mark("wrong", "cut off") : null,
        el("span", { className: "as" }, answer.answer === null ? "no answer read" : `answer ${answer.answer}`, `, ${plural(answer.tokens, "token")}`)),
      answer.text ? prose(answer.text, terms) : null);
  });
  const nodes = [
    el("p", { className: "where" }, el("code", {}, item.id), el("span", {}, item.task)),
    el("p", { className: "question" }, spanned(item.question || item.id, [], terms)),
  ];
  if (item.choices.length) nodes.push(el("ol", { type: "A" }, item.choices.map((each) => el("li", {}, each))));
  const golds = item.golds.filter(Boolean);
  if (golds.length) nodes.push(el("p", { className: "gold" }, golds.length > 1 ? "Gold answers " : "Gold answer ", el("b", {}, golds.join(", "))));
  if (Object.keys(item.meta).length) nodes.push(folded("About the problem", metaOf(item.meta)));
  nodes.push(el("div", { className: "answers" }, cards.filter(Boolean)));
  return nodes;
}
