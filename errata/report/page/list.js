// A list of any length: only the rows in sight exist. And the frame that filters, searches and shows one entry.

const ROW = 84; // pixels, as in report.css

class List {
  /** `row(n)` makes the node of entry n, `opened(n)` hears which one is chosen. */
  constructor(label, row, opened) {
    this.row = row;
    this.opened = opened;
    this.numbers = [];
    this.place = -1;
    this.spacer = el("div", { className: "spacer", role: "presentation" });
    this.node = el("div", { className: "list", tabIndex: 0, role: "listbox", "aria-label": label }, this.spacer);
    this.id = `list-${label.replace(/\W+/g, "-")}`;
    this.node.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    this.node.addEventListener("keydown", (event) => this.key(event));
    this.spacer.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.choose(Number(row.dataset.place));
    });
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  show(numbers) {
    const kept = this.numbers[this.place];
    this.numbers = numbers;
    this.place = kept === undefined ? -1 : numbers.indexOf(kept);
    this.spacer.style.height = `${numbers.length * ROW}px`;
    if (this.place < 0) this.node.scrollTop = 0;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.node.scrollTop / ROW) - 4);
    const last = Math.min(this.numbers.length, Math.ceil((this.node.scrollTop + this.node.clientHeight) / ROW) + 4);
    const rows = [];
    for (let place = first; place < last; place++) {
      const row = el("div", {
        className: "row", role: "option", id: `${this.id}-${place}`, "aria-selected": String(place === this.place),
        "aria-setsize": this.numbers.length, "aria-posinset": place + 1,
      }, this.row(this.numbers[place]));
      row.dataset.place = place;
      row.style.top = `${place * ROW}px`;
      rows.push(row);
    }
    this.spacer.replaceChildren(...rows);
    if (this.place >= first && this.place < last) this.node.setAttribute("aria-activedescendant", `${this.id}-${this.place}`);
    else this.node.removeAttribute("aria-activedescendant");
  }

  choose(place) {
    if (place < 0 || place >= this.numbers.length) return;
    this.place = place;
    const top = place * ROW;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + ROW > this.node.scrollTop + this.node.clientHeight) this.node.scrollTop = top + ROW - this.node.clientHeight;
    this.draw();
    this.opened(this.numbers[place]);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW) - 1);
    const last = this.numbers.length - 1;
    const to = { ArrowDown: this.place + 1, ArrowUp: this.place - 1, PageDown: this.place + page, PageUp: this.place - page, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose(Math.max(0, Math.min(last, to)));
  }
}

/** The part of the address behind # for a list under these [filter, value]. */
function addressOf(list, chosen) {
  const query = new URLSearchParams(chosen).toString();
  return `#${list}${query ? `?${query}` : ""}`;
}

/** Filters by named sets of entries; counts of a set stand in its option. */
class Filters {
  constructor(facets, total, changed) {
    this.total = total;
    this.facets = facets;
    this.chosen = new Map();
    this.selects = new Map();
    this.node = Object.entries(facets).filter(([, values]) => Object.keys(values).length > 0).map(([name, values]) => {
      const order = new Intl.Collator("en", { numeric: true });
      const options = Object.keys(values).sort(order.compare).map((value) => [value, `${value} (${number(values[value].length)})`]);
      const label = choice(name, [["", "any"], ...options], (value) => {
        this.set(name, value);
        changed();
      });
      this.selects.set(name, label.querySelector("select"));
      return label;
    });
  }

  /** Chooses a value of a filter; "" lets everything pass, a value that no entry has lets `unknown` pass. */
  set(name, value, unknown = undefined) {
    const numbers = this.facets[name]?.[value] ?? unknown;
    if (this.selects.has(name)) this.selects.get(name).value = this.facets[name]?.[value] ? value : "";
    if (numbers) this.chosen.set(name, numbers);
    else this.chosen.delete(name);
  }

  /** [name, value] of what is chosen. */
  values() {
    return [...this.selects].map(([name, select]) => [name, select.value]).filter(([, value]) => value);
  }

  /** 1 for every entry that passes. */
  mask() {
    const passed = new Uint8Array(this.total);
    for (const numbers of this.chosen.values()) for (const n of numbers) passed[n] += 1;
    return passed.map((n) => Number(n === this.chosen.size));
  }

  clear() {
    for (const name of this.selects.keys()) this.set(name, "");
  }
}

/** Search field, filters, list and reader of one kind of entries; `columns` are those of the list as a table. */
class Browser {
  constructor(host, { name, noun, blocks, index, facets, row, show, sorts, hash, columns, extra = [] }) {
    Object.assign(this, { noun, index, show, hash, sorts, blocks });
    this.haystack = new Haystack(blocks);
    this.run = 0;
    this.filters = new Filters(facets, index.ids.length, () => this.narrowed());
    this.field = el("input", { type: "search", placeholder: "words or \"a phrase\"", spellcheck: false });
    this.field.addEventListener("input", later(() => this.narrowed(), 80));
    this.field.addEventListener("focus", () => this.haystack.warm(), { once: true });
    this.order = Object.keys(sorts)[0];
    const sort = Object.keys(sorts).length > 1
      ? choice("Order", Object.keys(sorts).map((each) => [each, each]), (value) => { this.order = value; this.update(); })
      : null;
    const reset = el("button", { type: "button", className: "link" }, "Reset");
    reset.addEventListener("click", () => { this.filters.clear(); this.field.value = ""; this.narrowed(); });
    this.found = el("p", { className: "found", role: "status" });
    this.list = new List(name, row, (n) => this.open(n));
    this.reader = el("div", { className: "reader", tabIndex: 0, role: "region", "aria-label": `${noun} chosen` },
      el("p", { className: "empty" }, `Choose a ${noun} from the list. Arrow keys move through it, / searches.`));
    host.append(
      el("div", { className: "tools" }, el("label", { className: "search" }, "Search all texts", this.field), ...extra, ...this.filters.node, sort, reset,
        saveButton(name, () => [columns.names, ...this.list.numbers.map((n) => columns.of(n).map(String))])),
      this.found,
      el("div", { className: "split" }, this.list.node, this.reader),
    );
    this.ready = this.update().then(() => (this.wanted === undefined ? this.begin() : undefined));
  }

  /** What a person has chosen is shown and put into the address. */
  narrowed() {
    const words = this.field.value.trim();
    remember(addressOf(`${this.hash}s`, [...this.filters.values(), ...(words ? [["search", words]] : [])]));
    return this.update();
  }

  /** Shows the list under the filters of an address. */
  async filter(wanted) {
    this.filters.clear();
    for (const [name, value] of wanted) if (name !== "search") this.filters.set(name, value, []);
    this.field.value = wanted.get("search") ?? "";
    await this.update();
    this.list.node.scrollIntoView({ block: "center" });
    if (this.list.numbers.length) await this.begin();
  }

  /** The first entry lies open, without a word in the address. */
  async begin() {
    if (!this.list.numbers.length) return;
    this.list.place = 0;
    this.list.draw();
    await this.open(this.list.numbers[0], false);
  }

  async update() {
    const run = ++this.run;
    const passed = this.filters.mask();
    const terms = termsOf(this.field.value);
    this.terms = terms;
    if (terms.length) {
      const hits = new Uint8Array(passed.length);
      const onProgress = (done) => { this.found.textContent = `Searching, ${Math.round(100 * done)} % done`; };
      if (!(await this.haystack.search(terms, hits, onProgress, () => run !== this.run))) return;
      hits.forEach((hit, n) => { passed[n] &= hit; });
    }
    const numbers = [];
    passed.forEach((pass, n) => { if (pass) numbers.push(n); });
    const compare = this.sorts[this.order];
    if (compare) numbers.sort(compare);
    this.found.textContent = `${number(numbers.length)} of ${plural(passed.length, this.noun)}`;
    this.list.show(numbers);
  }

  async open(n, chosen = true) {
    const wanted = (this.wanted = n);
    const entry = await this.blocks.entry(n);
    if (wanted !== this.wanted) return;
    const back = el("button", { type: "button", className: "back" }, "Back to the list");
    back.addEventListener("click", () => { this.list.node.scrollIntoView({ block: "center" }); this.list.node.focus(); });
    this.reader.replaceChildren(back, ...this.show(entry, this.terms ?? []));
    this.reader.scrollTop = 0;
    this.toFirstHit();
    if (!chosen) return;
    if (getComputedStyle(back).display !== "none") this.reader.scrollIntoView({ block: "start" });
    remember(`#${this.hash}=${encodeURIComponent(this.index.ids[n])}`);
  }

  /** Brings what was searched for into sight, out of a closed fold too. */
  toFirstHit() {
    const hit = this.reader.querySelector(".text mark.hit, .question mark.hit");
    if (!hit) return;
    for (let fold = hit.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    this.reader.scrollTop += hit.getBoundingClientRect().top - this.reader.getBoundingClientRect().top - this.reader.clientHeight / 3;
  }

  /** Opens the entry of an id, whatever the filters say. */
  goTo(id) {
    const n = this.index.ids.indexOf(id);
    if (n < 0) return;
    this.filters.clear();
    this.field.value = "";
    this.update().then(() => {
      this.list.node.scrollIntoView({ block: "center" });
      this.list.choose(this.list.numbers.indexOf(n));
    });
  }
}
