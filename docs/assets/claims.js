/* The claims by verdict, method, paradigm and words; the question stays in the address. The page is complete without. */
(() => {
  "use strict";
  const place = document.getElementById("kf-claims-filter");
  const claims = [...document.querySelectorAll(".kf-claimlist > .kf-claim")];
  if (!place || !claims.length) return;
  const { make, address, list } = window.kf;
  const fold = (text) => text.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase().replace(/[-_\s]+/g, " ").trim();
  const entries = claims.map((element) => ({ element, ...element.dataset, text: fold(element.textContent) }));
  const tally = [...document.querySelectorAll(".kf-tally a")];
  const verdicts = tally.map((link) => link.dataset.verdict);
  const words = { "divide-and-conquer": "divide and conquer", "temporal-autoregressive": "temporal autoregressive", both: "both paradigms", other: "neither paradigm" };
  const methods = new Map(entries.map(({ method, name }) => [method, name]));
  let state;

  const read = () => {
    const query = new URLSearchParams(location.search);
    const folded = (name) => (query.get(name) || "").toLowerCase();
    const method = folded("method").replace(/-/g, "_");
    const paradigm = folded("paradigm").replace(/_/g, "-");
    state = {
      verdict: verdicts.filter((key) => list(folded("verdict").replace(/_/g, "-")).includes(key)),
      method: methods.has(method) ? method : "",
      paradigm: Object.hasOwn(words, paradigm) ? paradigm : "",
      text: query.get("text") || "",
    };
  };
  const write = () => {
    const query = new URLSearchParams();
    if (state.verdict.length) query.set("verdict", state.verdict.join(","));
    for (const key of ["method", "paradigm", "text"]) if (state[key]) query.set(key, state[key]);
    address(query);
  };
  const fits = (entry, except) =>
    (except === "verdict" || !state.verdict.length || state.verdict.includes(entry.verdict)) &&
    (!state.method || entry.method === state.method) &&
    (!state.paradigm || entry.paradigm.split(" ").includes(state.paradigm)) &&
    fold(state.text).split(" ").filter(Boolean).every((word) => entry.text.includes(word));

  const change = (changes) => {
    Object.assign(state, changes);
    update();
  };
  const search = make("input", { type: "search", id: "kf-claim-q", placeholder: "Words of a claim, a measure, a method", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => change({ text: search.value }));
  // The numbers at the top of the page are the filter by verdict; without this script they are plain links.
  tally.forEach((link, i) => {
    link.setAttribute("role", "button");
    const toggle = () => change({ verdict: verdicts.filter((one) => (one === verdicts[i] ? !state.verdict.includes(one) : state.verdict.includes(one))) });
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      toggle();
    });
    link.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      toggle();
    });
  });
  const select = (id, first, options, act) => {
    const element = make("select", { id }, make("option", { value: "" }, first), ...options.map(([value, label]) => make("option", { value }, label)));
    element.addEventListener("change", () => act(element.value));
    return element;
  };
  const method = select("kf-claim-method", "all", [...methods], (value) => change({ method: value }));
  const paradigm = select("kf-claim-paradigm", "all", Object.entries(words), (value) => change({ paradigm: value }));
  const told = make("p", { class: "kf-count", role: "status", "aria-live": "polite" });
  const reset = make("button", { type: "button", class: "kf-reset" }, "Clear all");
  reset.addEventListener("click", () => {
    change({ verdict: [], method: "", paradigm: "", text: "" });
    search.focus();
  });
  const form = make(
    "form",
    { class: "kf-explorer", role: "search", "aria-label": "Filter the claims" },
    make("div", { class: "kf-searchrow" }, make("label", { for: "kf-claim-q" }, "Search the claims"), search),
    make("div", { class: "kf-pick" }, make("label", { for: "kf-claim-method" }, "Method"), method, make("label", { for: "kf-claim-paradigm" }, "Paradigm"), paradigm),
    make("div", { class: "kf-resultrow" }, told, reset),
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  place.append(form);
  const sections = [...document.querySelectorAll(".kf-claimlist")].map((element) => {
    let head = element.previousElementSibling;
    const before = [];
    while (head && head.tagName !== "H2") {
      before.push(head);
      head = head.previousElementSibling;
    }
    return { element, head, before, title: head && head.firstChild.textContent };
  });

  function update(keepAddress) {
    let shown = 0;
    for (const entry of entries) shown += !(entry.element.hidden = !fits(entry));
    for (const { element, head, before, title } of sections) {
      const some = element.querySelectorAll(".kf-claim:not([hidden])").length;
      for (const one of [element, head, ...before]) if (one) one.hidden = !some;
      if (head && title) head.firstChild.textContent = title.replace(/\(\d+\)/, `(${some})`);
    }
    tally.forEach((link, i) => {
      link.setAttribute("aria-pressed", String(state.verdict.includes(verdicts[i])));
      link.querySelector("strong").textContent = entries.filter((entry) => entry.verdict === verdicts[i] && fits(entry, "verdict")).length;
    });
    method.value = state.method;
    paradigm.value = state.paradigm;
    if (search.value !== state.text) search.value = state.text;
    const all = entries.length;
    told.textContent = shown === all ? `${all} claims` : shown ? `${shown} of ${all} claims` : `None of ${all} claims fits; remove a filter`;
    reset.hidden = shown === all;
    if (keepAddress !== true) write();
  }

  read();
  update(true);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  addEventListener("popstate", () => {
    read();
    update(true);
  });
})();
