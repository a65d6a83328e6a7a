/* The table of methods as an explorer: search, facets with counts, lengths, columns, order, exports, the same question for
   the command line, and methods to compare. The table is complete without this script. */
(() => {
  "use strict";
  const wrap = document.getElementById("kf-methods");
  const table = wrap && wrap.querySelector("table");
  if (!table || !window.kfMethods) return;
  const { make, say, copy, download, line, address, link } = window.kf;
  const { columns, facets, sorts, rows: facts } = window.kfMethods;
  const query = window.kfQuery(window.kfMethods);
  const slugs = facts.map((row) => row[query.at.slug]);
  const namesOf = facts.map((row) => row[query.at.name]);
  const MOST = 6; // methods side by side
  let state = query.read(location.search);

  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const bySlug = new Map([...body.rows].map((row) => [row.dataset.slug, row]));
  const rows = slugs.map((slug) => bySlug.get(slug));
  const change = (...changes) => {
    Object.assign(state, ...changes);
    update();
  };

  // --- controls -----------------------------------------------------------------------------------------------------
  const search = make("input", { type: "search", id: "kf-q", placeholder: "Name, title, author, arXiv id, words of the mechanism", autocomplete: "off", spellcheck: "false" });
  const menus = [];
  const menu = (key, title, ...content) => {
    const active = make("span", { class: "kf-active" });
    const inside = make("div", { class: "kf-options", role: "group", "aria-label": title }, ...content);
    const element = make("details", { class: "kf-facet", "data-facet": key }, make("summary", {}, title, active), inside);
    menus.push({ key, element, active });
    return element;
  };
  const boxes = [];
  const labels = {};
  const groups = make("div", { class: "kf-facets" });
  for (const facet of facets) {
    labels[facet.key] = Object.fromEntries(facet.options);
    const options = facet.options.map(([value, label]) => {
      const box = make("input", { type: "checkbox", name: facet.key, value });
      const count = make("span", { class: "kf-option-count" });
      const option = make("label", {}, box, make("span", {}, label), count);
      box.addEventListener("change", () => {
        const kept = facet.options.map(([known]) => known).filter((known) => (known === value ? box.checked : state.chosen[facet.key].includes(known)));
        change({ chosen: { ...state.chosen, [facet.key]: kept } });
      });
      boxes.push({ facet, value, box, count, option });
      return option;
    });
    groups.append(menu(facet.key, facet.title, ...options));
  }

  const choice = (name, options, act) => {
    const inputs = options.map(([value, label]) => {
      const input = make("input", { type: "radio", name, value });
      input.addEventListener("change", () => act(value));
      return { input, option: make("label", {}, input, make("span", {}, label)) };
    });
    return { options: inputs.map(({ option }) => option), set: (value) => inputs.forEach(({ input }) => (input.checked = input.value === value)) };
  };
  const which = choice("kf-length", [["stated", "What the paper calls long"], ["shown", "Longest video shown"]], (value) => change({ shown: value === "shown" }));
  const bounds = Object.keys(state.bounds).map((name) => {
    const [side, unit] = name.split("_");
    const input = make("input", { type: "number", min: "0", step: "any", inputmode: "decimal", placeholder: side === "min" ? "from" : "to", "aria-label": `${unit}, ${side === "min" ? "at least" : "at most"}` });
    input.addEventListener("input", () => {
      const known = input.value.trim() !== "" && Number(input.value) >= 0;
      change({ bounds: { ...state.bounds, [name]: known ? Number(input.value) : null } });
    });
    return { name, input };
  });
  const left = make("p", { class: "kf-menu-note" });
  const ranges = ["frames", "seconds"].map((unit, i) => make("div", { class: "kf-range" }, make("span", {}, unit), bounds[2 * i].input, make("span", { "aria-hidden": "true" }, "–"), bounds[2 * i + 1].input));
  groups.append(menu("length", "Length", ...which.options, ...ranges, left));
  const reader = choice("kf-by", [["editors", "The editors' reading"], ["survey", "The survey's reading"]], (by) => change({ by }));
  groups.append(menu("by", "Reading", ...reader.options, make("p", { class: "kf-menu-note" }, "Whose paradigm and generator the filters go by; where the survey is silent, nothing matches.")));

  const shownBoxes = columns.slice(1).map(({ key, title }) => {
    const box = make("input", { type: "checkbox", name: "column", value: key });
    box.addEventListener("change", () => {
      const now = query.visible(state);
      const chosen = columns.map((column) => column.key).filter((one) => (one === key ? box.checked : now.includes(one)));
      change({ columns: chosen });
    });
    return { key, box, option: make("label", {}, box, make("span", {}, title)) };
  });
  const usual = make("button", { type: "button", class: "kf-plain" }, "The usual columns");
  usual.addEventListener("click", () => change({ columns: null }));
  groups.append(menu("columns", "Columns", ...shownBoxes.map(({ option }) => option), usual));

  const order = make("select", { id: "kf-order" }, make("option", { value: "" }, "Slug, A to Z"));
  const sortNames = [...columns.filter((column) => column.sort).map((column) => [column.sort, column.title]), ...Object.entries(sorts)];
  for (const [value, title] of sortNames) for (const [sign, arrow] of [["", "↑"], ["-", "↓"]]) order.append(make("option", { value: sign + value }, `${title} ${arrow}`));
  order.addEventListener("change", () => change({ sort: order.value }));

  // On a phone the menus wait behind one button.
  const unfold = make("button", { type: "button", class: "kf-plain kf-unfold", "aria-expanded": "false", "aria-controls": "kf-facets" }, "Filters and columns");
  groups.id = "kf-facets";
  unfold.addEventListener("click", () => unfold.setAttribute("aria-expanded", String(groups.classList.toggle("kf-unfolded"))));

  const chips = make("div", { class: "kf-chosen" });
  const count = make("p", { class: "kf-count", role: "status", "aria-live": "polite" });
  const reset = make("button", { type: "button", class: "kf-reset" }, "Clear all");
  reset.addEventListener("click", () => {
    state = { ...query.empty(), columns: state.columns, picked: state.picked, sort: state.sort };
    update();
    search.focus();
  });

  // --- exports and the same question elsewhere ------------------------------------------------------------------------
  const files = [
    ["CSV", "csv", "text/csv", (found) => query.csv(state, found)],
    ["JSON", "json", "application/json", (found) => query.json(state, found)],
    ["BibTeX", "bib", "application/x-bibtex", query.bibtex],
  ];
  const answer = () => query.sorted(state, query.matching(state));
  const exports = files.map(([name, suffix, type, text]) => {
    const [copied, saved] = [make("button", { type: "button", "aria-label": `Copy ${name}` }, "Copy"), make("button", { type: "button", "aria-label": `Download ${name}` }, "Download")];
    copied.addEventListener("click", () => copy(text(answer()), `Copied ${answer().length} methods as ${name}`));
    saved.addEventListener("click", () => download(`methods.${suffix}`, type, text(answer())));
    return make("div", { class: "kf-export" }, make("span", {}, name), copied, saved);
  });
  const share = make("button", { type: "button", class: "kf-plain" }, "Copy the link");
  share.addEventListener("click", () => copy(location.href, "Copied the link to this question"));
  const save = menu("export", "Export", ...exports, make("p", { class: "kf-menu-note" }, "The rows and columns shown, in their order."), share);
  save.classList.add("kf-facet-end");
  const shell = line("$", "Copy the command", "Copied the command");
  const python = line(">>>", "Copy the line of Python", "Copied the line of Python");
  const same = make("div", { class: "kf-same", role: "group", "aria-label": "The same question elsewhere" }, shell.row, python.row);

  const panel = make(
    "form",
    { class: "kf-explorer", role: "search", "aria-label": "Filter the methods" },
    make("div", { class: "kf-searchrow" }, make("label", { for: "kf-q" }, "Search the methods"), search),
    unfold,
    groups,
    chips,
    same,
    make("div", { class: "kf-resultrow" }, count, reset, make("span", { class: "kf-grow" }), make("label", { for: "kf-order", class: "kf-order" }, "Order"), order, save),
  );
  panel.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("focus", listen, { once: true });
  search.addEventListener("input", () => change({ text: search.value }));

  // One open menu at a time; Escape and a click elsewhere close it.
  menus.forEach(({ element }) => element.addEventListener("toggle", () => element.open && menus.forEach((other) => other.element !== element && (other.element.open = false))));
  document.addEventListener("click", (event) => menus.forEach(({ element }) => element.contains(event.target) || (element.open = false)));
  panel.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && event.target.closest("details[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  // What `kiloframe list --text` searches is asked for when somebody types; until it is here, the cells are searched.
  function listen() {
    if (query.hears() || listen.asked) return;
    listen.asked = true;
    const script = make("script", { src: wrap.dataset.text });
    script.addEventListener("load", () => {
      query.heard(window.kfMethodsText);
      update(true);
    });
    document.head.append(script);
  }

  heads.forEach((head) => {
    const column = columns.find((one) => one.key === head.dataset.key);
    const button = make("button", { type: "button", class: "kf-sort" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => change({ sort: state.sort === column.sort ? `-${column.sort}` : state.sort === `-${column.sort}` ? "" : column.sort }));
  });

  // --- methods to compare ---------------------------------------------------------------------------------------------
  const ticks = rows.map((row, i) => {
    const box = make("input", { type: "checkbox", class: "kf-tick", "aria-label": `Compare ${namesOf[i]}` });
    box.addEventListener("change", () => {
      if (box.checked && state.picked.length >= MOST) {
        box.checked = false;
        say(`${MOST} methods side by side are the most`);
        return;
      }
      change({ picked: slugs.filter((slug) => (slug === slugs[i] ? box.checked : state.picked.includes(slug))) });
    });
    row.cells[0].prepend(box);
    return box;
  });
  const told = make("span", { class: "kf-picked-names" });
  const go = make("a", { class: "md-button md-button--primary" }, "Compare");
  const none = make("button", { type: "button", class: "kf-reset" }, "Clear");
  const tray = make("div", { class: "kf-picked", role: "region", "aria-label": "Methods to compare" }, told, go, none);
  none.addEventListener("click", () => change({ picked: [] }));
  wrap.after(tray);

  // --- showing --------------------------------------------------------------------------------------------------------
  function chip(text, drop) {
    const button = make("button", { type: "button", class: "kf-chip", "aria-label": `Remove the filter ${text}` }, text, make("span", { "aria-hidden": "true" }, "×"));
    button.addEventListener("click", () => {
      drop();
      (chips.querySelector("button") || search).focus();
    });
    return button;
  }
  function chosenChips() {
    const out = [];
    for (const facet of facets) for (const value of state.chosen[facet.key])
      out.push(chip(`${facet.title}: ${labels[facet.key][value]}`, () => change({ chosen: { ...state.chosen, [facet.key]: state.chosen[facet.key].filter((one) => one !== value) } })));
    for (const [name, value] of Object.entries(state.bounds)) if (value !== null) {
      const [side, unit] = name.split("_");
      out.push(chip(`${state.shown ? "Shown" : "Called long"}: ${side === "min" ? "at least" : "at most"} ${value} ${unit}`, () => change({ bounds: { ...state.bounds, [name]: null } })));
    }
    if (state.by !== "editors") out.push(chip("The survey's reading", () => change({ by: "editors" })));
    return out;
  }

  function update(keepAddress) {
    if (state.text) listen();
    const found = answer();
    const visible = new Set(found);
    rows.forEach((row, i) => (row.hidden = !visible.has(i)));
    body.append(...found.map((i) => rows[i]), ...rows.filter((_, i) => !visible.has(i)));

    for (const facet of facets) {
      const tally = query.counts(state, facet);
      for (const one of boxes.filter((each) => each.facet === facet)) {
        one.box.checked = state.chosen[facet.key].includes(one.value);
        one.count.textContent = tally[one.value] || 0;
        one.option.classList.toggle("kf-none", !tally[one.value]);
      }
    }
    const bounded = Object.values(state.bounds).filter((value) => value !== null).length;
    which.set(state.shown ? "shown" : "stated");
    reader.set(state.by);
    for (const { name, input } of bounds) if (document.activeElement !== input) input.value = state.bounds[name] === null ? "" : state.bounds[name];
    const silent = bounded ? query.unknownLengths(state) : 0;
    left.textContent = `Frames and seconds convert only with a record's own frame rate; unknown never fits.${silent ? ` Left out because unknown: ${silent}.` : ""}`;
    const active = { length: bounded, by: state.by === "survey" ? 1 : 0, columns: state.columns ? state.columns.length : 0, export: 0 };
    for (const one of menus) one.active.textContent = (one.key in active ? active[one.key] : state.chosen[one.key].length) || "";

    const columnsNow = new Set(query.visible(state));
    heads.forEach((head, at) => {
      const off = !columnsNow.has(head.dataset.key);
      if (head.hidden !== off || head.classList.contains("kf-more")) for (const row of [table.tHead.rows[0], ...rows]) {
        row.cells[at].hidden = off;
        row.cells[at].classList.remove("kf-more");
      }
      const column = columns.find((one) => one.key === head.dataset.key);
      if (column.sort && state.sort.replace(/^-/, "") === column.sort) head.setAttribute("aria-sort", state.sort.startsWith("-") ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    for (const { key, box } of shownBoxes) box.checked = columnsNow.has(key);
    usual.hidden = !state.columns;
    order.value = state.sort;

    chips.replaceChildren(...chosenChips());
    chips.hidden = !chips.childElementCount;
    if (search.value !== state.text) search.value = state.text;
    const all = rows.length;
    count.textContent = found.length === all ? `${all} methods` : found.length ? `${found.length} of ${all} methods` : `None of ${all} methods fits; remove a filter`;
    reset.hidden = !state.text && !chips.childElementCount;
    shell.set(query.command(state));
    python.set(query.call(state));

    ticks.forEach((box, i) => (box.checked = state.picked.includes(slugs[i])));
    tray.hidden = !state.picked.length;
    told.textContent = state.picked.map((slug) => namesOf[slugs.indexOf(slug)]).join(", ") + (state.picked.length === 1 ? ": tick one more to compare" : "");
    go.hidden = state.picked.length < 2;
    go.href = link(wrap.dataset.compare, { methods: state.picked.join(",") });
    if (keepAddress !== true) address(query.write(state));
  }

  wrap.before(panel);
  update(true);
  addEventListener("popstate", () => {
    state = query.read(location.search);
    update(true);
  });
})();
