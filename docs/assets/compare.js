/* Any methods side by side; which ones stands in the address. Without this script the page holds ready comparisons. */
(() => {
  "use strict";
  const place = document.getElementById("kf-compare");
  if (!place || !window.kfCompare) return;
  const { make, say, line, address, link, list } = window.kf;
  const { fields, most, methods } = window.kfCompare;
  const slugs = Object.keys(methods);
  let chosen = [];
  let only = false;

  const read = () => {
    const query = new URLSearchParams(location.search);
    const asked = list(query.get("methods")).map((slug) => slug.toLowerCase().replace(/-/g, "_"));
    chosen = [...new Set(asked)].filter((slug) => Object.hasOwn(methods, slug)).slice(0, most);
    only = query.has("differences") && query.get("differences") !== "0";
  };
  const write = () => {
    const query = new URLSearchParams();
    if (chosen.length) query.set("methods", chosen.join(","));
    if (only) query.set("differences", "1");
    address(query);
  };
  const differs = (row) => {
    const columns = chosen.map((slug) => methods[slug].cells[row][1]);
    return columns.length > 1 && columns[0].some((_, i) => new Set(columns.map((keys) => keys[i]).filter(Boolean)).size > 1);
  };

  // --- controls -----------------------------------------------------------------------------------------------------
  const add = make("select", { id: "kf-add" });
  const label = make("label", { for: "kf-add" }, "Add a method");
  add.addEventListener("change", () => {
    if (!add.value) return;
    chosen = [...chosen, add.value];
    say(`Added ${methods[add.value].name}`);
    update();
  });
  const box = make("input", { type: "checkbox", id: "kf-only" });
  box.addEventListener("change", () => {
    only = box.checked;
    update();
  });
  const onlyLabel = make("label", { class: "kf-check" }, box, "Only what differs");
  const browse = make("a", { href: link(place.dataset.methods, {}) }, "Choose from the table of methods");
  const shell = line("$", "Copy the command", "Copied the command");
  const same = make("div", { class: "kf-same", role: "group", "aria-label": "The same on the command line" }, shell.row);
  const told = make("p", { class: "kf-count", role: "status", "aria-live": "polite" });
  const table = make("div", { class: "kf-wrap kf-compare", tabindex: "0", role: "region", "aria-label": "Methods side by side" });
  place.append(make("div", { class: "kf-pick" }, label, add, onlyLabel, browse), same, told, table);

  // --- showing ------------------------------------------------------------------------------------------------------
  const head = (slug) => {
    const name = methods[slug].name;
    const remove = make("button", { type: "button", class: "kf-remove", "aria-label": `Remove ${name}` }, make("span", { "aria-hidden": "true" }, "×"));
    remove.addEventListener("click", () => {
      chosen = chosen.filter((one) => one !== slug);
      update();
      add.focus();
    });
    return make("th", { scope: "col" }, make("a", { href: link(place.dataset.method.replace("SLUG", slug), {}) }, name), remove);
  };
  const mark = () => make("span", { class: "kf-mark" }, make("span", { "aria-hidden": "true" }, "≠"), " differs");

  function update(keepAddress) {
    const rest = slugs.filter((slug) => !chosen.includes(slug));
    const full = chosen.length >= most;
    add.replaceChildren(make("option", { value: "" }, full ? `${most} are the most; remove one first` : "Choose …"), ...rest.map((slug) => make("option", { value: slug }, methods[slug].name)));
    add.disabled = full;
    box.checked = only;
    onlyLabel.hidden = same.hidden = chosen.length < 2;
    table.hidden = !chosen.length;
    const rows = fields.map(([, title], row) => {
      const apart = differs(row);
      if (only && chosen.length > 1 && !apart) return null;
      const cells = chosen.map((slug) => {
        const cell = make("td", {});
        cell.innerHTML = methods[slug].cells[row][0]; // made and escaped by the same code as every page
        return cell;
      });
      return make("tr", apart ? { class: "kf-row-differs" } : {}, make("th", { scope: "row" }, title, ...(apart ? [" ", mark()] : [])), ...cells);
    }).filter(Boolean);
    table.replaceChildren(make("table", { style: `--kf-methods: ${chosen.length}` }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, make("span", { class: "kf-hidden" }, "Field")), ...chosen.map(head))), make("tbody", {}, ...rows)));
    const apart = fields.filter((_, row) => differs(row)).length;
    told.textContent = chosen.length > 1 ? `${chosen.length} methods; ${apart} of ${fields.length} rows differ` : chosen.length ? "Add one more method to compare" : "Add two to six methods, tick them in the table of methods, or take a ready comparison below";
    shell.set(`kiloframe compare ${chosen.join(" ")}${only ? " --differences" : ""}`);
    if (keepAddress !== true) write();
  }

  read();
  update(true);
  addEventListener("popstate", () => {
    read();
    update(true);
  });
})();
