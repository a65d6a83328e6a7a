/* Figures 1 and 2: order, filter, and what a mark says. Without this file they stand as they are, complete, and their
   numbers in the tables beneath. */
(() => {
  "use strict";
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const choice = (title, options, changed) => {
    const select = make("select", { "aria-label": title }, ...options.map(([value, words]) => make("option", { value }, words)));
    select.addEventListener("change", () => changed(select.value));
    return make("label", {}, title, select);
  };
  const tick = (title, changed) => {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => changed(box.checked));
    return make("label", { class: "kf-figure-check" }, box, title);
  };
  const paradigms = [
    ["", "all paradigms"],
    ["divide-and-conquer", "divide and conquer"],
    ["temporal-autoregressive", "temporal autoregressive"],
    ["both", "both paradigms"],
    ["other", "neither paradigm"],
  ];
  // A method of both paradigms answers to either.
  const fits = (own, asked) => !asked || own === asked || (own === "both" && asked !== "other");

  // What the row under the pointer or the focus says, in a line that stays in sight and covers nothing.
  const speaker = (figure, rows, hint) => {
    const told = make("p", { class: "kf-told", "data-hint": hint });
    figure.querySelector("figcaption").before(told);
    const say = (event) => {
      const row = event.target instanceof Element && event.target.closest("li");
      if (row && rows.includes(row)) told.textContent = row.querySelector("[hidden]").textContent;
    };
    figure.addEventListener("pointerover", say);
    figure.addEventListener("focusin", say);
  };

  // --- Figure 1 ----------------------------------------------------------------------------------------------------
  const lengths = document.getElementById("kf-lengths");
  if (lengths) {
    const list = lengths.querySelector("ol");
    const rows = [...list.children];
    const state = { order: "longest", paradigm: "", survey: false };
    const count = make("p", { class: "kf-count", role: "status" });
    const update = () => {
      const by = (row) => Number(row.dataset[state.order === "longest-seconds" ? "longestSeconds" : state.order] || 0);
      const names = (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { sensitivity: "base" });
      list.append(...[...rows].sort(state.order === "name" ? names : (a, b) => by(b) - by(a) || rows.indexOf(a) - rows.indexOf(b)));
      for (const row of rows) row.hidden = !fits(row.dataset.paradigm, state.paradigm) || (state.survey && row.dataset.by !== "survey-text");
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = `${shown} of ${rows.length} methods`;
    };
    const set = (key) => (value) => {
      state[key] = value;
      update();
    };
    const orders = [
      ["longest", "longest known, frames"],
      ["longest-seconds", "longest known, seconds"],
      ["called", "what the paper calls long"],
      ["newest", "newest first"],
      ["name", "name"],
    ];
    lengths.querySelector(".kf-legend").after(
      make("div", { class: "kf-controls" }, choice("Order by", orders, set("order")), choice("Show", paradigms, set("paradigm")), tick("only those the survey names", set("survey")), count),
    );
    speaker(lengths, rows, "Point at a row or focus its name: what it calls long, what it shows, and where that stands.");
    update();
  }

  // --- Figure 2 ----------------------------------------------------------------------------------------------------
  const timeline = document.getElementById("kf-timeline");
  if (timeline) {
    const rows = [...timeline.querySelectorAll("li")];
    const edges = [...timeline.querySelectorAll(".kf-edge[data-from]")];
    speaker(timeline, rows, "Point at a method or focus it: what it is built on, and what its record calls related.");
    const point = (row) => {
      timeline.classList.toggle("kf-pointed", Boolean(row));
      const near = new Set(row ? [row.dataset.slug] : []);
      for (const edge of edges) {
        const on = Boolean(row) && [edge.dataset.from, edge.dataset.to].includes(row.dataset.slug);
        edge.classList.toggle("kf-on", on);
        if (on) near.add(edge.dataset.from).add(edge.dataset.to);
      }
      for (const one of rows) one.classList.toggle("kf-on", near.has(one.dataset.slug));
    };
    for (const row of rows) {
      const link = row.querySelector("a");
      link.addEventListener("pointerenter", () => point(row));
      link.addEventListener("pointerleave", () => point(null));
      link.addEventListener("focus", () => point(row));
      link.addEventListener("blur", () => point(null));
    }
    timeline.querySelector(".kf-legend").after(
      make("div", { class: "kf-controls" }, tick("draw every related pair", (on) => timeline.classList.toggle("kf-all", on))),
    );
  }
})();
