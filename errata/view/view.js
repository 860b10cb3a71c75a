"use strict";
(() => {
  const EVERY_MS = 2000;
  const page = document.body.dataset.page, place = document.body.dataset.place;
  const state = document.getElementById("state");
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const number = (value) => value.toLocaleString("en");
  const money = (usd) => usd === null ? "unknown" : "$" + usd.toFixed(usd >= 1 || usd === 0 ? 2 : 4);
  const ago = (seconds) => {
    const past = Math.max(0, Math.round(Date.now() / 1000 - seconds));
    if (past < 60) return past + " s ago";
    if (past < 3600) return Math.floor(past / 60) + " min ago";
    return past < 86400 ? Math.floor(past / 3600) + " h ago" : Math.floor(past / 86400) + " days ago";
  };
  const path = (where) => where.split("/").map(encodeURIComponent).join("/");
  const link = (text, href) => { const node = make("a", text); node.href = href; return node; };
  const cell = (content, name) => {
    const node = make("td", content instanceof Node ? undefined : content, name);
    if (content instanceof Node) node.append(content);
    return node;
  };

  const share = (value) => (100 * value).toFixed(1);
  const signed = (value) => (value < 0 ? "-" : "+") + share(Math.abs(value));
  const within = (bounds, text) => bounds ? text(bounds[0]) + " [" + text(bounds[1]) + ", " + text(bounds[2]) + "]" : "";
  const ended = (school) => school.at_work !== null ? "at work: " + school.at_work : school.stopped === null ? "not ended" : "ended: " + school.stopped;
  const figures = (round) => [cell(within(round.accuracy, share), "number"), cell(within(round.gain, signed), "number"),
    cell(round.verdict ?? "", "verdict"), cell(number(round.teacher_tokens), "number"), cell(money(round.usd), "number")];
  const lesson = (round) => round.lesson ? link("lesson", "/run/" + path(round.lesson)) : "";
  const rowOf = (cells, name) => { const row = make("tr", null, name); row.append(...cells); return row; };

  // A table's rows anew; each cell knows its heading, which stands beside it where the window is narrow.
  function fill(table, rows) {
    const headings = [...table.tHead.rows[0].cells].map((each) => each.textContent);
    for (const row of rows) {
      let column = 0;
      for (const each of row.cells) {
        each.dataset.heading ??= headings[column];
        column += each.colSpan;
      }
    }
    table.tBodies[0].replaceChildren(...rows);
  }

  function schools(found) {
    document.getElementById("schools").hidden = !found.length;
    fill(document.querySelector("#schools table"), found.flatMap((each) => {
      const report = link("report", "/school-report/" + path(each.place));
      const state = cell(ended(each));
      state.colSpan = 6;
      const head = [cell(link(each.place, "/school/" + path(each.place))), state, cell(ago(each.changed), "when"), cell(report)];
      const rounds = each.rounds.map((round) => {
        const [name, taught] = [cell(round.name, "below"), cell(lesson(round))];
        [name.dataset.heading, taught.dataset.heading] = ["round", "lesson"];
        return rowOf([name, taught, ...figures(round), cell(""), cell("")]);
      });
      return [rowOf(head), ...rounds];
    }));
  }

  const steps = (names) => names.slice(0, 4).join(", ") + (names.length > 4 ? " and " + (names.length - 4) + " more" : "");
  const stands = (study) => number(study.done) + " steps done" + (study.judged ? ", claims judged" : "") +
    (study.at_work.length ? "; at work: " + steps(study.at_work) : "") + (study.cut_off.length ? "; cut off: " + steps(study.cut_off) : "") + (study.newest ? "; " + study.newest : "") + (study.failed.length ? "; failed or stopped: " + steps(study.failed) : "");

  function studies(found) {
    document.getElementById("studies").hidden = !found.length;
    fill(document.querySelector("#studies table"), found.flatMap((each) => {
      const state = cell(stands(each), each.failed.length ? "failed" : "");
      state.colSpan = 4;
      const report = each.claims.length ? link("report", "/study-report/" + path(each.place)) : "";
      const claims = each.claims.map((claim) => {
        const name = cell(claim.name, "below claim");
        [name.colSpan, name.dataset.heading] = [2, "claim"];
        return rowOf([name, cell(claim.task), cell(within(claim.difference, signed), "number"), cell(claim.verdict, "verdict"), cell(""), cell("")]);
      });
      return [rowOf([cell(each.place), state, cell(ago(each.changed), "when"), cell(report)]), ...claims];
    }));
  }

  function school(found) {
    const keys = [["state", ended(found)], ["student that stands", found.student ?? "none"], ["changed", ago(found.changed)]];
    document.getElementById("keys").replaceChildren(...keys.map(([name, value]) => {
      const group = make("div");
      group.append(make("dt", name), make("dd", value));
      return group;
    }));
    fill(document.getElementById("rounds"), found.rounds.map((round) => rowOf([cell(round.name), ...figures(round), cell(lesson(round))])));
  }

  function list(every, found, tried) {
    schools(found);
    studies(tried);
    const taught = new Set(found.flatMap((each) => each.rounds.map((round) => round.lesson)));
    const runs = every.filter((run) => !taught.has(run.place));
    document.getElementById("nothing").hidden = runs.length + found.length + tried.length > 0;
    document.getElementById("runs").hidden = !runs.length;
    document.getElementById("others").hidden = !runs.length || !(found.length + tried.length);
    fill(document.getElementById("runs"), runs.map((run) => {
      const row = make("tr");
      row.append(cell(link(run.place, "/run/" + path(run.place))), cell(run.running ? "running" : run.pending ? "stopped" : "ended"),
        cell(run.stages.join(", ")), cell(number(run.done) + " of " + number(run.total), "number"), cell(number(run.rejected), "number"),
        cell(number(run.failed), run.failed ? "number failed" : "number"), cell(number(run.paid), "number"),
        cell(money(run.usd), "number"), cell(ago(run.changed), "when"), cell(link("report", "/report/" + path(run.place))));
      return row;
    }));
  }

  function one({run, newest}) {
    const ended = run.done + run.rejected + run.failed;
    const keys = [["state", run.running ? "running" : run.pending ? "stopped" : "ended"], ["done", number(run.done)],
      ["rejected", number(run.rejected)], ["failed", number(run.failed)], ["pending", number(run.pending)],
      ["calls paid", number(run.paid)], ["from the store", number(run.cached)], ["cost", money(run.usd)], ["changed", ago(run.changed)]];
    document.getElementById("keys").replaceChildren(...keys.map(([name, value]) => {
      const group = make("div");
      group.append(make("dt", name), make("dd", value));
      return group;
    }));
    const share = run.total ? Math.round(100 * ended / run.total) : 0;
    const bar = document.querySelector(".bar");
    bar.setAttribute("aria-valuenow", share);
    bar.firstElementChild.style.width = share + "%";
    const failures = newest.flatMap((each) => [...each.failures, ...(each.status === "failed" ? [each.reason] : [])].map((text) => each.id + ": " + text));
    document.getElementById("failures").replaceChildren(...(failures.length ? failures.map((text) => make("li", text, "failed")) : [make("li", "none among the newest transcripts")]));
    fill(document.getElementById("newest"), newest.map((each) => {
      const row = make("tr");
      row.append(cell(each.id, "mono"), cell(each.question), cell(each.reason ? each.status + ": " + each.reason : each.status, each.status === "failed" ? "failed" : ""),
        cell(number(each.written), "number"), cell(number(each.right), "number"));
      return row;
    }));
  }

  async function read(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.status === 404 ? "this is no longer there" : "the server answered " + answer.status);
    return answer.json();
  }

  async function follow() {
    try {
      if (page === "list") list(...await Promise.all([read("/api/runs"), read("/api/schools"), read("/api/studies")]));
      else if (page === "school") school(await read("/api/school/" + path(place)));
      else one(await read("/api/run/" + path(place)));
      state.textContent = "";
    } catch (error) {
      state.textContent = "not refreshed: " + (error instanceof TypeError ? "errata view has ended" : error.message);
    }
    setTimeout(follow, document.hidden ? 5 * EVERY_MS : EVERY_MS);
  }
  follow();
})();
