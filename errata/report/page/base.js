// Small tools. Text from the log goes into the page by textContent and createTextNode alone.

const byId = (id) => document.getElementById(id);

/** An element; `set` holds properties, `data-*` and `aria-*` attributes; children are nodes or text, null is left out. */
function el(tag, set = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(set)) {
    if (value === null || value === undefined) continue;
    if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const number = (value) => Number(value).toLocaleString("en-US");
const plural = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function money(usd) {
  if (usd === undefined) return "?";
  return usd === 0 || usd >= 0.01 ? `$${usd.toFixed(2)}` : `$${usd.toPrecision(2)}`;
}

function later(act, milliseconds) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), milliseconds);
  };
}

/** Lets the page react in the middle of long work. */
const breath = () => new Promise((go) => setTimeout(go, 0));

/** A labelled choice; `options` are [value, label]. */
function choice(name, options, act) {
  const select = el("select", {}, options.map(([value, label]) => el("option", { value }, label)));
  select.addEventListener("change", () => act(select.value));
  return el("label", {}, name, select);
}

/** A word in a frame: never by colour alone. */
const mark = (kind, text) => el("span", { className: `mark ${kind}` }, text);

/** A cell of a CSV file; a text that a spreadsheet would take for a formula is marked as text. */
function cell(value) {
  const safe = /^[=@\t\r]|^[+-](?![\d.])/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A button that saves rows of texts as a CSV file. */
function saveButton(name, rows) {
  const button = el("button", { type: "button", className: "link tables" }, "Save as CSV");
  button.addEventListener("click", () => {
    const text = rows().map((row) => `${row.map(cell).join(",")}\r\n`).join("");
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    el("a", { href: url, download: `${name.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
  return button;
}

/** The address's part behind #, without a new entry in the history. */
function remember(hash) {
  try {
    history.replaceState(null, "", hash);
  } catch {
    // Some browsers refuse it for files; the page works without.
  }
}
