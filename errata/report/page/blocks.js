// Compressed data of the page: an index, and blocks of entries that are inflated when one of them is needed.

const MOST_OPEN = 24; // inflated blocks kept, each about 256 KB of JSON

async function inflated(id) {
  const packed = byId(id).textContent.trim();
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

class Blocks {
  constructor(name, firsts, total) {
    this.name = name;
    this.firsts = firsts;
    this.total = total;
    this.open = new Map();
  }

  /** Number of the block that holds an entry. */
  blockOf(entry) {
    let low = 0;
    let high = this.firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle] <= entry) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async block(place) {
    let found = this.open.get(place);
    this.open.delete(place);
    found ??= inflated(`${this.name}-${place}`);
    this.open.set(place, found); // the newest stands last
    if (this.open.size > MOST_OPEN) this.open.delete(this.open.keys().next().value);
    return found;
  }

  async entry(number) {
    const place = this.blockOf(number);
    return (await this.block(place))[number - this.firsts[place]];
  }
}

/** What a full-text search looks at. */
const SEARCHED = new Set(["id", "question", "gold", "golds", "solution", "text", "reasoning", "reply", "failure", "answer", "choices", "reason"]);

function wordsOf(value, key, into) {
  if (typeof value === "string") {
    if (SEARCHED.has(key)) into.push(value);
  } else if (Array.isArray(value)) {
    for (const each of value) wordsOf(each, key, into);
  } else if (value && typeof value === "object") {
    for (const [name, each] of Object.entries(value)) wordsOf(each, name, into);
  }
}

/** Full-text search: every block becomes one lower-case string once, and is then looked through by indexOf. */
class Haystack {
  constructor(blocks) {
    this.blocks = blocks;
    this.texts = [];
  }

  text(place) {
    return (this.texts[place] ??= this.read(place));
  }

  async read(place) {
    const entries = await inflated(`${this.blocks.name}-${place}`); // past the cache: it is read once
    const ends = new Int32Array(entries.length);
    const parts = [];
    let length = 0;
    entries.forEach((entry, n) => {
      const words = [];
      wordsOf(entry, "", words);
      const lowered = words.join("\n").toLowerCase() + "\0";
      parts.push(lowered);
      length += lowered.length;
      ends[n] = length;
    });
    return { all: parts.join(""), ends };
  }

  /** Reads everything, a little at a time, so that the first search finds it done. */
  async warm() {
    for (let place = 0; place < this.blocks.firsts.length; place++) {
      await this.text(place);
      if (place % 8 === 7) await breath();
    }
  }

  /** Marks in `into` every entry that holds all terms. `onProgress(share)` hears how far it is; a stale search stops. */
  async search(terms, into, onProgress, stale) {
    let since = performance.now();
    for (let place = 0; place < this.blocks.firsts.length; place++) {
      const { all, ends } = await this.text(place);
      if (stale()) return false;
      const hits = new Uint8Array(ends.length);
      for (const term of terms) {
        for (let at = all.indexOf(term), n = 0; at >= 0; at = n < ends.length ? all.indexOf(term, ends[n - 1]) : -1) {
          while (ends[n] <= at) n++;
          hits[n++] += 1;
        }
      }
      hits.forEach((n, entry) => {
        if (n === terms.length) into[this.blocks.firsts[place] + entry] = 1;
      });
      if (performance.now() - since > 24) {
        onProgress((place + 1) / this.blocks.firsts.length);
        await breath();
        if (stale()) return false;
        since = performance.now();
      }
    }
    return true;
  }
}

/** The terms of a query: words, and "quoted phrases", all of which must occur. */
function termsOf(query) {
  const found = query.toLowerCase().match(/"[^"]+"|\S+/g) ?? [];
  return [...new Set(found.map((term) => term.replace(/^"|"$/g, "")).filter(Boolean))].slice(0, 12);
}

/** Entry numbers stored as differences. */
function ascending(gaps) {
  let at = 0;
  return gaps.map((gap) => (at += gap));
}
