// One problem's whole story: the student's answers, each draft with its reviews and revisions, explanations, pairs, calls.

function storyOf(story, terms) {
  const { outcome } = story;
  const kind = outcome.status === "done" ? "plain" : "wrong";
  const nodes = [
    el("p", { className: "where" },
      el("code", {}, story.id), el("span", {}, story.task), story.split ? el("span", {}, story.split) : null,
      mark(kind, outcome.reason ? `${outcome.status}: ${outcome.reason.replaceAll("_", " ")}` : outcome.status)),
    el("p", { className: "question" }, spanned(story.question, [], terms)),
  ];
  if (story.choices) nodes.push(el("ol", { type: "A" }, story.choices.map((each) => el("li", {}, each))));
  nodes.push(el("p", { className: "gold" }, "Gold answer ", el("b", {}, story.gold)));
  if (story.solution) nodes.push(folded("Reference solution", prose(story.solution, terms)));
  if (story.meta && Object.keys(story.meta).length) nodes.push(folded("About the problem", metaOf(story.meta)));

  const all = (story.rationales ?? []).map((each, n) => ({ ...each, n }));
  const parts = [
    ["Student", all.filter((each) => each.role === "student")],
    ["Drafts, reviews and revisions", all.filter((each) => each.role === "teacher")],
    ["Rewrites", all.filter((each) => each.role === "rectified" || each.role === "corrupted")],
    ["Texts of your own stages", all.filter((each) => !SHIPPED_ROLES.includes(each.role))],
  ];
  for (const [name, rationales] of parts) {
    if (rationales.length) nodes.push(el("h3", {}, name), ...rationales.map((each) => thread(each, all, story, terms)));
  }
  if (story.pairs) {
    nodes.push(el("h3", {}, plural(story.pairs.length, "pair")));
    nodes.push(...story.pairs.map((pair) => folded(pairName(pair), sidesOf(story, pair, terms))));
  }
  nodes.push(el("h3", {}, plural((story.calls ?? []).length, "call")), callsOf(story, terms));
  return nodes;
}

function metaOf(meta) {
  const asText = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
  return el("dl", { className: "facts" }, Object.entries(meta).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, asText(value)))));
}

const SHIPPED_ROLES = ["student", "teacher", "revised", "rectified", "corrupted"];

/** A rationale, what explains its mistake, and its revisions below it. */
function thread(each, all, story, terms) {
  const explanations = (story.explanations ?? []).filter((one) => one.of === each.n).map((one) => explanationOf(one, terms));
  const revised = all.filter((one) => one.role === "revised" && one.parent === each.n);
  const below = [...explanations, ...revised.map((one) => thread(one, all, story, terms))];
  const card = rationaleOf(each, terms);
  return below.length ? el("div", {}, card, el("div", { className: "thread" }, below)) : card;
}

function rationaleOf(each, terms) {
  const marks = [grade(each)];
  if (each.accepted !== undefined) marks.push(each.accepted ? mark("right", "accepted") : mark("wrong", "rejected"));
  marks.push(soundness(each.sound));
  if (each.dropped) marks.push(mark("plain", `set aside: ${each.dropped.replaceAll("_", " ")}`));
  if (each.saw) marks.push(mark("plain", "saw the gold answer"));
  if (each.truncated) marks.push(mark("wrong", "cut off"));
  const card = el("article", { className: "card" },
    el("header", {}, el("b", {}, each.by), el("span", { className: "as" }, roleOf(each)), marks,
      el("span", { className: "as" }, each.answer === undefined ? "no answer read" : `answer ${each.answer}`)));
  if (each.reasoning) card.append(folded("Thinking", prose(each.reasoning, terms)));
  card.append(prose(each.text, terms, each.span ? [[...each.span, "answer"]] : []));
  if (each.reviews) card.append(el("div", { className: "reviews" }, each.reviews.map((review) => reviewOf(review, terms))));
  return card;
}

function roleOf(each) {
  const name = { teacher: "draft", student: "answer", revised: "revision" }[each.role] ?? each.role;
  return each.sample ? `${name} ${each.sample + 1}` : name;
}

function reviewOf(review, terms) {
  const score = review.score
    ? el("span", { className: "score", "aria-label": `score ${review.score} of 5` }, `${review.score} `,
        el("i", { className: "on", "aria-hidden": "true" }, "●".repeat(review.score)), el("i", { "aria-hidden": "true" }, "○".repeat(5 - review.score)))
    : el("span", { className: "score" }, review.lost ? "call lost" : "no score");
  return el("div", { className: "review" }, el("span", {}, review.by), score, prose(review.text, terms));
}

function explanationOf(one, terms) {
  return el("article", { className: "card" },
    el("header", {}, el("b", {}, one.by), el("span", { className: "as" }, "explains the mistake"), (one.kinds ?? []).map((kind) => mark("plain", kind))),
    prose(one.text, terms));
}

function callsOf(story, terms) {
  const names = ["agent", "verb", "prompt", "model", "tokens in", "out", "price", "ended"];
  const rows = (story.calls ?? []).map((call) => el("tr", {},
    el("th", { scope: "row" }, call.agent),
    [call.verb + (call.attempt ? `, try ${call.attempt + 1}` : ""), call.prompt, call.model].map((value) => el("td", {}, value)),
    call.tokens.map((value) => el("td", { className: "number" }, number(value))),
    el("td", { className: "number" }, call.model.startsWith("recorded/") ? "replayed" : money(call.usd)),
    el("td", {}, call.failure ?? call.finish ?? "")));
  const others = (story.calls ?? []).filter((call) => call.reply !== undefined)
    .map((call) => folded(`${call.agent}, ${call.verb}: the reply itself`, prose(call.reply, terms)));
  const table = el("div", { className: "table", tabIndex: 0, role: "region", "aria-label": "Calls" },
    el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows)));
  return folded("Show the calls", table, ...others);
}
