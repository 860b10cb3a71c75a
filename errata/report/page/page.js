// Puts the page to work: charts' tooltips, the contents, the browsers; each browser when it comes near.

/** The mark of a chart nearest to the pointer tells its figures. */
function tips() {
  const tip = byId("tip");
  const hide = () => { tip.hidden = true; };
  for (const chart of document.querySelectorAll(".chart")) {
    let marks = null;
    chart.addEventListener("pointerenter", () => {
      marks = [...chart.querySelectorAll("[role='graphics-symbol'][aria-label]:not([aria-roledescription='axis'], [aria-roledescription='legend'])")]
        .map((node) => ({ label: node.getAttribute("aria-label"), box: node.getBoundingClientRect() }));
    });
    chart.addEventListener("pointermove", (event) => {
      let [best, least] = [null, 30];
      for (const one of marks ?? []) {
        const x = Math.max(one.box.left - event.clientX, 0, event.clientX - one.box.right);
        const y = Math.max(one.box.top - event.clientY, 0, event.clientY - one.box.bottom);
        const far = Math.hypot(x, y);
        if (far < least) [best, least] = [one, far];
      }
      if (!best) return hide();
      tip.textContent = best.label;
      tip.hidden = false;
      const { width, height } = tip.getBoundingClientRect();
      const left = Math.min(Math.max(8, best.box.left + best.box.width / 2 - width / 2), innerWidth - width - 8);
      const above = best.box.top - height - 8;
      tip.style.transform = `translate(${left}px, ${above > 4 ? above : best.box.bottom + 8}px)`;
    });
    chart.addEventListener("pointerleave", hide);
  }
  addEventListener("scroll", hide, { passive: true });
}

function contents() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const id of links.keys()) if (byId(id)) seen.observe(byId(id));
}

/** Runs `start` once, when the node comes near or something asks for it. */
function lazily(node, start) {
  let begun = null;
  const begin = () => (begun ??= start().catch((error) => {
    node.append(el("p", { className: "notice" }, `This part could not be read: ${error.message}`));
    throw error;
  }));
  new IntersectionObserver((entries, watch) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      watch.disconnect();
      begin();
    }
  }, { rootMargin: "1200px" }).observe(node);
  return begin;
}

function facetsOf(index) {
  const read = (values) => Object.fromEntries(Object.entries(values).map(([value, gaps]) => [value, ascending(gaps)]));
  return Object.fromEntries(Object.entries(index.facets).map(([name, values]) => [name, read(values)]));
}

function transcriptsView(host, index, blocks) {
  const row = (n) => {
    const [written, right, accepted] = index.counts[n];
    return [
      el("div", { className: "gist" }, index.questions[n]),
      el("div", { className: "meta" }, `${written} written · ${right === null ? "no gold answer" : `${right} right`} · ${accepted} accepted · ${index.ids[n]}`),
    ];
  };
  const by = (place, sign) => (a, b) => sign * (index.counts[a][place] - index.counts[b][place]) || a - b;
  return new Browser(host, {
    name: "Transcripts", noun: "transcript", hash: "transcript", index, blocks, row, facets: facetsOf(index), show: storyOf,
    columns: {
      names: ["transcript", "question", "written", "right", "accepted"],
      of: (n) => [index.ids[n], index.questions[n], ...index.counts[n].slice(0, 3).map((each) => each ?? "")],
    },
    sorts: { "as in the input": null, "most disputed first": by(3, -1), "fewest right first": by(1, 1), "fewest accepted first": by(2, 1), "longest first": by(0, -1) },
  });
}

function itemsView(host, index, blocks) {
  const facets = { change: changesOf(index), students: verdictsOf(index), ...facetsOf(index) };
  const columns = {
    names: ["item", "task", "question", ...index.students],
    of: (n) => [index.ids[n], index.tasks[n], index.questions[n], ...index.right.map((student) => student[n])],
  };
  return new Browser(host, {
    columns, name: "Problems", noun: "problem", hash: "item", index, blocks, facets,
    row: (n) => itemRow(index, n), show: (item, terms) => itemOf(index, item, terms), sorts: { "students differ first": (a, b) => divided(index, b) - divided(index, a) || a - b, "as evaluated": null },
  });
}

/** What stands behind # in the address: a section, an entry of a list, or a list under filters. */
function placeOf(hash) {
  const [, kind, id] = hash.match(/^#(transcript|item)=(.+)$/) ?? [];
  if (kind) return { kind, id: decodeURIComponent(id) };
  const [, list, query] = hash.match(/^#(transcript|item|pair)s\?(.*)$/) ?? [];
  if (list) return { kind: list, wanted: new URLSearchParams(query) };
  return { section: hash.slice(1) };
}

/** Below every table a button that saves it as CSV. */
function savedTables() {
  for (const table of document.querySelectorAll(".numbers .table table")) {
    const name = table.closest("[id], figure, section")?.querySelector("h3, h2")?.textContent ?? table.parentElement.getAttribute("aria-label");
    table.parentElement.after(saveButton(name, () => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent))));
  }
}

function start() {
  tips();
  contents();
  savedTables();
  const views = {};
  let openStory = () => {};
  const ready = async (view) => { await view.ready; return view; };
  /** Goes to a place once every list is built: until then the page grows, and what is scrolled to moves away. */
  const open = async ({ kind, id, wanted, section }) => {
    if (!kind && !byId(section)) return;
    const built = Object.fromEntries(await Promise.all(Object.entries(views).map(async ([name, begin]) => [name, await begin()])));
    if (!kind) byId(section).scrollIntoView({ block: "start" });
    else if (built[kind] && wanted) built[kind].filter(wanted);
    else if (built[kind]) built[kind].goTo(id);
  };
  if (byId("transcripts-index") && byId("stories")) {
    let read = null;
    const stories = () => (read ??= inflated("transcripts-index").then((index) => [index, new Blocks("transcripts", index.blocks, index.ids.length)]));
    views.transcript = lazily(byId("stories"), async () => ready(transcriptsView(byId("stories"), ...(await stories()))));
    openStory = (id) => open({ kind: "transcript", id });
    const pairs = byId("pair-view");
    if (pairs) views.pair = lazily(pairs, async () => { const [index, blocks] = await stories(); return ready(new Pairs(pairs, blocks, index, openStory)); });
  }
  if (byId("items-index") && byId("items")) {
    views.item = lazily(byId("items"), async () => {
      const index = await inflated("items-index");
      return ready(itemsView(byId("items"), index, new Blocks("items", index.blocks, index.ids.length)));
    });
  }
  const follow = () => open(placeOf(location.hash));
  addEventListener("hashchange", follow);
  for (const link of document.querySelectorAll("a[href^='#']")) link.addEventListener("click", () => { if (link.hash === location.hash) follow(); });
  if (location.hash) follow();
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    const fields = [...document.querySelectorAll("input[type=search]")];
    const near = fields.sort((a, b) => Math.abs(a.getBoundingClientRect().top) - Math.abs(b.getBoundingClientRect().top))[0];
    if (near) {
      event.preventDefault();
      near.scrollIntoView({ block: "center" });
      near.focus();
    }
  });
}

start();
