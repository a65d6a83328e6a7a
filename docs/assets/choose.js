/* Which method for my case: a question of four parts, a short list with the reasons from the facts. Without this script
   the page holds ready cases and the facts themselves. */
(() => {
  "use strict";
  const place = document.getElementById("kf-choose");
  const facts = document.getElementById("kf-choose-facts");
  if (!place || !facts) return;
  const { make, line, address, link } = window.kf;
  const FEW = 6;
  const rows = [...facts.querySelectorAll("tbody tr")];
  const controls = place.dataset.controls.split(",").map((pair) => pair.split("="));
  const controlWords = Object.fromEntries(controls);
  const CODE = { full: "complete code of the authors", "full,partial": "some code of the authors" };
  const empty = { length: null, unit: "frames", control: "", code: "", laptop: false };
  let state = { ...empty };
  let all = new Set(); // lists shown in full

  const read = () => {
    const query = new URLSearchParams(location.search);
    const number = (name) => (query.get(name) && Number(query.get(name)) > 0 ? Number(query.get(name)) : null);
    const unit = number("min_seconds") !== null && number("min_frames") === null ? "seconds" : "frames";
    state = {
      length: number(`min_${unit}`),
      unit,
      control: controls.some(([value]) => value === query.get("control")) ? query.get("control") : "",
      code: query.get("code") in CODE ? query.get("code") : "",
      laptop: query.get("reproduction") === "yes",
    };
  };
  const asked = () => {
    const query = {};
    if (state.control) query.control = state.control;
    if (state.code) query.code = state.code;
    if (state.laptop) query.reproduction = "yes";
    if (state.length !== null) Object.assign(query, { [`min_${state.unit}`]: state.length, shown: 1 });
    return query;
  };
  const command = () => {
    const words = ["kiloframe list"];
    if (state.control) words.push(`--control ${state.control}`);
    if (state.code) words.push(`--code ${state.code}`);
    if (state.laptop) words.push("--reproduction");
    if (state.length !== null) words.push(`--min-${state.unit} ${state.length} --shown`);
    return words.join(" ");
  };

  // Each part of the question, put to one method: yes, no or unknown, with the cell of the table that says so.
  const judge = ({ dataset, cells }) => {
    const out = [];
    if (state.length !== null) {
      const value = dataset[state.unit];
      const fits = value === "" ? "unknown" : Number(value) >= state.length ? "yes" : "no";
      const other = dataset[state.unit === "frames" ? "seconds" : "frames"];
      const silent = other === "" ? "The longest video shown is not known" : `Its length in ${state.unit} is not known: no frame rate is`;
      out.push({ key: "length", fits, cell: cells[1], words: fits === "unknown" ? `${silent}.` : "Shows up to", quote: fits !== "unknown" || other !== "" });
    }
    if (state.control) out.push({ key: "control", fits: dataset.control.split(" ").includes(state.control) ? "yes" : "no", cell: cells[2], words: "Takes", quote: true });
    if (state.code) {
      const fits = dataset.code === "unknown" ? "unknown" : state.code.split(",").includes(dataset.code) ? "yes" : "no";
      out.push({ key: "code", fits, cell: cells[3], words: "Code of the authors:", quote: true });
    }
    if (state.laptop) out.push({ key: "laptop", fits: dataset.reproduction, cell: cells[4], words: "Has a reproduction here:", quote: true });
    return out;
  };
  const worse = { length: () => `show less than ${state.length} ${state.unit}`, control: () => `take no ${controlWords[state.control]}`, code: () => `lack ${CODE[state.code]}`, laptop: () => "have no reproduction here" };

  // --- the question -------------------------------------------------------------------------------------------------
  const change = (changes) => {
    Object.assign(state, changes);
    all = new Set();
    update();
  };
  const select = (id, options, act) => {
    const element = make("select", { id }, ...options.map(([value, words]) => make("option", { value }, words)));
    element.addEventListener("change", () => act(element.value));
    return element;
  };
  const length = make("input", { type: "number", id: "kf-length", min: "1", step: "any", inputmode: "decimal", placeholder: "any" });
  length.addEventListener("input", () => change({ length: Number(length.value) > 0 ? Number(length.value) : null }));
  const unit = select("kf-unit", [["frames", "frames"], ["seconds", "seconds"]], (value) => change({ unit: value }));
  unit.setAttribute("aria-label", "Unit of the length");
  const control = select("kf-control", [["", "no matter"], ...controls], (value) => change({ control: value }));
  const hardware = select("kf-hardware", [["", "no matter"], ["laptop", "a laptop without a GPU"]], (value) => change({ laptop: value === "laptop" }));
  const code = select("kf-code", [["", "no matter"], ["full,partial", "some"], ["full", "complete"]], (value) => change({ code: value }));
  const part = (label, forId, ...inputs) => make("div", {}, make("label", { for: forId }, label), make("div", { class: "kf-ask-inputs" }, ...inputs));
  const form = make(
    "form",
    { class: "kf-ask", "aria-label": "Your case" },
    part("At least this long", "kf-length", length, unit),
    part("Steered by", "kf-control", control),
    part("It must run on", "kf-hardware", hardware),
    part("Code of the authors", "kf-code", code),
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  const told = make("p", { class: "kf-count", role: "status", "aria-live": "polite" });
  const shell = line("$", "Copy the command", "Copied the command");
  const same = make("div", { class: "kf-same", role: "group", "aria-label": "Those that fit, on the command line" }, shell.row);
  const lists = make("div", {});
  place.append(form, told, same, lists);

  // --- the answer ---------------------------------------------------------------------------------------------------
  const ICONS = { yes: "✔", no: "✘", unknown: "?" };
  const reason = ({ fits, words, cell, quote }) => {
    const said = make("span", {}, `${words} `);
    if (quote) said.append(...[...cell.childNodes].map((node) => node.cloneNode(true)));
    return make("li", { class: `kf-reason kf-reason-${fits}` }, make("span", { class: "kf-reason-icon", "aria-hidden": "true" }, ICONS[fits]), make("span", { class: "kf-hidden" }, { yes: "fits: ", unknown: "unknown: ", no: "does not fit: " }[fits]), said);
  };
  const card = ({ row, reasons }) => {
    const name = row.cells[0].querySelector("a").cloneNode(true);
    const trained = make("p", { class: "kf-meta" }, "Trained with: ", ...[...row.cells[5].childNodes].map((node) => node.cloneNode(true)));
    return make("article", { class: "kf-card kf-fit", "data-slug": row.dataset.slug }, make("h3", {}, name), make("p", {}, row.dataset.idea), make("ul", { class: "kf-reasons" }, ...reasons.map(reason)), trained);
  };
  const group = (key, title, words, found) => {
    if (!found.length) return [];
    const few = all.has(key) ? found : found.slice(0, FEW);
    const more = make("button", { type: "button", class: "kf-plain" }, `Show all ${found.length}`);
    more.addEventListener("click", () => {
      all.add(key);
      update(true);
      document.getElementById(`kf-${key}`).focus();
    });
    return [make("h2", { id: `kf-${key}`, tabindex: "-1" }, `${title} (${found.length})`), make("p", { class: "kf-meta" }, words), make("div", { class: "kf-fits" }, ...few.map(card)), ...(few.length < found.length ? [more] : [])];
  };
  // Those that can be run first, then the newest.
  const rank = ({ row: { dataset } }) => (dataset.reproduction === "yes" ? 0 : dataset.code === "full" ? 1 : dataset.code === "partial" ? 2 : 3);
  const order = (a, b) => rank(a) - rank(b) || (a.row.dataset.year < b.row.dataset.year ? 1 : a.row.dataset.year > b.row.dataset.year ? -1 : rows.indexOf(a.row) - rows.indexOf(b.row));

  function update(keepAddress) {
    if (document.activeElement !== length) length.value = state.length === null ? "" : state.length;
    [unit.value, control.value, hardware.value, code.value] = [state.unit, state.control, state.laptop ? "laptop" : "", state.code];
    const judged = rows.map((row) => ({ row, reasons: judge(row) }));
    const fit = judged.filter(({ reasons }) => reasons.every(({ fits }) => fits === "yes")).sort(order);
    const may = judged.filter(({ reasons }) => reasons.every(({ fits }) => fits !== "no") && reasons.some(({ fits }) => fits === "unknown")).sort(order);
    const out = judged.filter(({ reasons }) => reasons.some(({ fits }) => fits === "no"));
    const open = !Object.keys(asked()).length;
    same.hidden = open;
    shell.set(command());
    if (open) {
      told.textContent = `Nothing asked yet: ${rows.length} methods.`;
      lists.replaceChildren();
    } else {
      told.textContent = `${fit.length} fit, ${may.length} may fit, ${out.length} do not.`;
      const why = Object.keys(worse).map((key) => [out.filter(({ reasons }) => reasons.some((one) => one.key === key && one.fits === "no")).length, key]).filter(([count]) => count);
      const link_ = make("a", { href: link(place.dataset.methods, asked()) }, "those that fit in the table of methods");
      lists.replaceChildren(
        ...group("fit", "Fit", "Every fact you asked about is known and fits. Those that can be run come first, then the newest.", fit),
        ...group("may", "May fit", "Nothing speaks against these, but something is unknown.", may),
        make("p", { class: "kf-note" }, out.length ? `Left out: ${out.length}. Of these, ${why.map(([count, key]) => `${count} ${worse[key]()}`).join("; ")}. ` : "Nothing is left out. ", "See ", link_, "."),
      );
    }
    if (keepAddress !== true) address(new URLSearchParams(asked()));
  }

  // A ready case is answered here, without a new page.
  for (const ready of document.querySelectorAll(".kf-case")) {
    ready.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      address(new URLSearchParams(ready.href.split("?")[1]));
      read();
      update(true);
      told.scrollIntoView({ block: "center" });
    });
  }
  read();
  update(true);
  addEventListener("popstate", () => {
    read();
    update(true);
  });
})();
