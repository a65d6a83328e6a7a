/* The table of methods: search, facets with counts, sorting; the question stays in the address. The table is complete
   without this script, and everything it needs stands in the table. */
(() => {
  "use strict";
  const wrap = document.getElementById("kf-methods");
  const table = wrap && wrap.querySelector("table");
  if (!table) return;

  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows].map((row, order) => ({
    row,
    order,
    data: row.dataset,
    text: fold([row.dataset.slug, row.dataset.name, row.dataset.title, row.dataset.authors, row.dataset.arxiv, row.textContent].join(" ")),
  }));
  const facets = [
    ["paradigm", "Paradigm"],
    ["generator", "Generator"],
    ["control", "Control"],
    ["code", "Code"],
    ["membership", "Named by"],
    ["reproduction", "Reproduction"],
  ];
  const words = { "survey-text": "the survey", editors: "the editors", gan: "GAN", both: "both paradigms", other: "neither" };
  const chosen = Object.fromEntries(facets.map(([key]) => [key, new Set()]));
  const state = { q: "", sort: "", down: false };

  function fold(text) {
    return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[-_\s]+/g, " ");
  }
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  const values = (entry, key) => (entry.data[key] || "").split(" ").filter(Boolean);
  const label = (value) => words[value] || value.replace(/-/g, " ");
  const matchesFacet = (entry, key) => {
    if (!chosen[key].size) return true;
    const have = values(entry, key);
    // A method of both paradigms answers to either.
    return have.some((value) => chosen[key].has(value) || (key === "paradigm" && value === "both" && [...chosen[key]].some((one) => one !== "other")));
  };
  const matchesText = (entry) => fold(state.q).split(" ").filter(Boolean).every((word) => entry.text.includes(word));
  const matches = (entry, except) => matchesText(entry) && facets.every(([key]) => key === except || matchesFacet(entry, key));

  // --- controls ---------------------------------------------------------------------------------------------------
  const search = make("input", { type: "search", id: "kf-q", placeholder: "Name, title, author, arXiv id", autocomplete: "off", spellcheck: "false" });
  const count = make("p", { class: "kf-count", role: "status", "aria-live": "polite" });
  const reset = make("button", { type: "button", class: "kf-reset" }, "Clear");
  const groups = make("div", { class: "kf-facets" });
  const boxes = [];
  for (const [key, title] of facets) {
    const found = [...new Set(rows.flatMap((entry) => values(entry, key)))];
    const tally = (value) => rows.filter((entry) => values(entry, key).includes(value)).length;
    found.sort((a, b) => tally(b) - tally(a) || a.localeCompare(b));
    const list = make("div", { class: "kf-options", role: "group", "aria-label": title });
    for (const value of found) {
      const box = make("input", { type: "checkbox", name: key, value });
      const number = make("span", { class: "kf-option-count" });
      const option = make("label", {}, box, make("span", {}, label(value)), number);
      box.addEventListener("change", () => {
        chosen[key][box.checked ? "add" : "delete"](value);
        update();
      });
      boxes.push({ key, value, box, number, option });
      list.append(option);
    }
    const active = make("span", { class: "kf-active" });
    const group = make("details", { class: "kf-facet", "data-facet": key }, make("summary", {}, title, active), list);
    groups.append(group);
  }
  const panel = make(
    "form",
    { class: "kf-explorer", role: "search", "aria-label": "Filter the methods" },
    make("div", { class: "kf-searchrow" }, make("label", { for: "kf-q" }, "Search the methods"), search),
    groups,
    make("div", { class: "kf-resultrow" }, count, reset),
  );
  panel.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", () => {
    state.q = search.value;
    update();
  });
  reset.addEventListener("click", () => {
    state.q = "";
    Object.values(chosen).forEach((set) => set.clear());
    update();
    search.focus();
  });
  // One open menu at a time; Escape and a click elsewhere close it.
  const menus = [...groups.children];
  menus.forEach((menu) => menu.addEventListener("toggle", () => menu.open && menus.forEach((other) => other !== menu && (other.open = false))));
  document.addEventListener("click", (event) => menus.forEach((menu) => menu.contains(event.target) || (menu.open = false)));
  panel.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest("details[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  heads.forEach((head) => {
    const button = make("button", { type: "button", class: "kf-sort" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const key = head.dataset.key;
      if (state.sort !== key) [state.sort, state.down] = [key, false];
      else if (!state.down) state.down = true;
      else [state.sort, state.down] = ["", false];
      update();
    });
  });

  // --- order ------------------------------------------------------------------------------------------------------
  const seconds = (entry, key) => {
    // Frames and seconds do not convert without a frame rate, so lengths sort within their unit, frames first.
    if (key === "called") return entry.data.calledUnit === "seconds" ? 1 : 0;
    if (key === "shown") return entry.data.shownFrames ? 0 : 1;
    return 0;
  };
  const compare = (a, b) => {
    const head = heads.find((one) => one.dataset.key === state.sort);
    if (!head) return a.order - b.order;
    const [key, way] = [state.sort, state.down ? -1 : 1];
    const [x, y] = [a.data[key] || "", b.data[key] || ""];
    const unknown = (value) => value === "" || (head.dataset.sort !== "number" && value === "unknown");
    if (unknown(x) || unknown(y)) return unknown(x) - unknown(y) || a.order - b.order;
    if (head.dataset.sort === "number") return seconds(a, key) - seconds(b, key) || way * (Number(x) - Number(y)) || a.order - b.order;
    return way * x.localeCompare(y, "en", { numeric: true, sensitivity: "base" }) || a.order - b.order;
  };

  // --- address ----------------------------------------------------------------------------------------------------
  const read = () => {
    const query = new URLSearchParams(location.search);
    state.q = query.get("text") || "";
    const sort = query.get("sort") || "";
    state.down = sort.startsWith("-");
    state.sort = heads.some((head) => head.dataset.key === sort.replace(/^-/, "")) ? sort.replace(/^-/, "") : "";
    for (const [key] of facets) {
      const known = boxes.filter((one) => one.key === key).map((one) => one.value);
      chosen[key] = new Set((query.get(key) || "").split(",").map((value) => value.replace(/_/g, "-")).filter((value) => known.includes(value)));
    }
  };
  // The name is `text`, as in `kiloframe list --text`; `q` would open the search of the whole site.
  const write = () => {
    const query = new URLSearchParams();
    if (state.q) query.set("text", state.q);
    for (const [key] of facets) if (chosen[key].size) query.set(key, [...chosen[key]].join(","));
    if (state.sort) query.set("sort", (state.down ? "-" : "") + state.sort);
    const text = query.toString().replace(/%2C/g, ",");
    try {
      history.replaceState(null, "", location.pathname + (text ? `?${text}` : "") + location.hash);
    } catch {
      // Some browsers forbid this for pages opened from disk; the table works all the same.
    }
  };

  function update(keepAddress) {
    const shown = rows.filter((entry) => matches(entry));
    const visible = new Set(shown);
    rows.forEach((entry) => (entry.row.hidden = !visible.has(entry)));
    body.append(...[...rows].sort(compare).map((entry) => entry.row));
    for (const { key, value, box, number, option } of boxes) {
      const others = rows.filter((entry) => matches(entry, key) && (values(entry, key).includes(value) || (key === "paradigm" && value !== "other" && values(entry, key).includes("both")))).length;
      box.checked = chosen[key].has(value);
      number.textContent = others;
      option.classList.toggle("kf-none", !others);
    }
    menus.forEach((menu) => (menu.querySelector(".kf-active").textContent = chosen[menu.dataset.facet].size || ""));
    heads.forEach((head) => {
      if (head.dataset.key === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    if (search.value !== state.q) search.value = state.q;
    const all = rows.length;
    count.textContent = shown.length === all ? `${all} methods` : shown.length ? `${shown.length} of ${all} methods` : `None of ${all} methods fits; clear a filter`;
    reset.hidden = !state.q && facets.every(([key]) => !chosen[key].size);
    if (keepAddress !== true) write();
  }

  wrap.before(panel);
  read();
  update(true);
  addEventListener("popstate", () => {
    read();
    update(true);
  });
})();
