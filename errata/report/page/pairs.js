// Dual chains of thought side by side, the key steps marked.

const pairName = (pair) => `${pair.origin}, ${percent(pair.ratio)} of the words differ${pair.band ? "" : ", outside the band"}`;

function sidesOf(story, pair, terms = []) {
  const side = (kind, rationale, spans) => el("div", { className: `side ${kind}` },
    el("article", { className: "card" },
      el("header", {}, el("b", {}, rationale.by), el("span", { className: "as" }, roleOf(rationale)), grade(rationale), soundness(rationale.sound)),
      prose(rationale.text, terms, (spans ?? []).map((span) => [...span, "key"]))));
  const [right, wrong] = [story.rationales[pair.right], story.rationales[pair.wrong]];
  return el("div", { className: "sides" }, side("right", right, pair.right_spans), side("wrong", wrong, pair.wrong_spans));
}

/** Steps through the pairs that the filters leave. */
class Pairs {
  constructor(host, blocks, index, open) {
    Object.assign(this, { blocks, index, openStory: open });
    const facets = { origin: {}, "wrong side by": {} };
    index.pairs.forEach(([, , origin, , author], n) => {
      (facets.origin[origin] ??= []).push(n);
      (facets["wrong side by"][author] ??= []).push(n);
    });
    this.filters = new Filters(facets, index.pairs.length, () => this.narrowed());
    this.order = "as written";
    const orders = ["as written", "most alike first", "least alike first"];
    const button = (text, by) => {
      const node = el("button", { type: "button" }, text);
      node.addEventListener("click", () => this.step(by));
      return node;
    };
    this.before = button("Previous", -1);
    this.next = button("Next", 1);
    this.position = el("span", { className: "found", role: "status" });
    this.node = el("div", { className: "pair", tabIndex: 0, role: "region", "aria-label": "pair chosen" });
    this.node.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by && event.target === this.node) this.step(by);
    });
    host.append(
      el("div", { className: "tools" }, ...this.filters.node,
        choice("Order", orders.map((each) => [each, each]), (value) => { this.order = value; this.update(); }),
        el("div", { className: "steps" }, this.before, this.next, this.position),
        saveButton("Pairs", () => this.rows())),
      this.node);
    this.ready = this.update();
  }

  /** What a person has chosen is shown and put into the address. */
  narrowed() {
    remember(addressOf("pairs", this.filters.values()));
    return this.update();
  }

  /** Shows the pairs under the filters of an address. */
  async filter(wanted) {
    this.filters.clear();
    for (const [name, value] of wanted) this.filters.set(name, value, []);
    await this.update();
    this.node.scrollIntoView({ block: "center" });
  }

  /** Headings and, of the pairs that the filters leave, a row each. */
  rows() {
    const row = ([entry, , origin, ratio, author]) => [this.index.ids[entry], this.index.questions[entry], origin, author, String(ratio)];
    return [["transcript", "question", "origin", "wrong side by", "share of words that differ"], ...this.numbers.map((n) => row(this.index.pairs[n]))];
  }

  update() {
    const mask = this.filters.mask();
    this.numbers = this.index.pairs.map((_, n) => n).filter((n) => mask[n]);
    const sign = { "most alike first": 1, "least alike first": -1 }[this.order];
    if (sign) this.numbers.sort((a, b) => sign * (this.index.pairs[a][3] - this.index.pairs[b][3]));
    this.place = 0;
    return this.draw();
  }

  step(by) {
    this.place = Math.max(0, Math.min(this.numbers.length - 1, this.place + by));
    this.draw();
  }

  async draw() {
    const many = this.numbers.length;
    this.before.disabled = this.place <= 0;
    this.next.disabled = this.place >= many - 1;
    this.position.textContent = many ? `${number(this.place + 1)} of ${number(many)}` : "no pair";
    if (!many) return this.node.replaceChildren(el("p", { className: "empty" }, "No pair passes these filters."));
    const chosen = this.numbers[this.place];
    const [entry, within] = this.index.pairs[chosen];
    const story = await this.blocks.entry(entry);
    if (chosen !== this.numbers[this.place]) return;
    const pair = story.pairs[within];
    const open = el("button", { type: "button", className: "link" }, "Open the transcript");
    open.addEventListener("click", () => this.openStory(story.id));
    this.node.replaceChildren(
      el("p", { className: "where" }, el("span", {}, pairName(pair)), open),
      el("p", { className: "question" }, story.question),
      el("p", { className: "gold" }, "Gold answer ", el("b", {}, story.gold)),
      sidesOf(story, pair));
  }
}
