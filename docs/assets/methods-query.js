/* A question to the table of methods: its state, the address it lives in, the rows that answer it, and the same question
   for the command line and Python. No element of the page is touched here; the semantics are those of kiloframe/filters.py. */
(() => {
  "use strict";
  const { list, shell, python } = window.kf;
  const BOUNDS = ["min_frames", "max_frames", "min_seconds", "max_seconds"];

  window.kfQuery = (data) => {
    const { names, rows, columns, facets, sorts } = data;
    const at = Object.fromEntries(names.map((name, i) => [name, i]));
    const everyone = rows.map((_, i) => i);
    const keys = columns.map((column) => column.key);
    const sortable = new Set([...columns.map((column) => column.sort), ...Object.keys(sorts)]);
    const usual = columns.filter((column) => column.shown).map((column) => column.key);
    let texts = null; // what is searched, once it is there

    const empty = () => ({
      text: "",
      chosen: Object.fromEntries(facets.map((facet) => [facet.key, []])),
      bounds: Object.fromEntries(BOUNDS.map((name) => [name, null])),
      shown: false,
      by: "editors",
      sort: "",
      columns: null, // the usual ones
      picked: [],
    });

    // --- what a method must be like ---------------------------------------------------------------------------------
    const plain = (text) =>
      (/^[\x00-\x7f]*$/.test(text) ? text : text.normalize("NFKD").replace(/\p{Mn}/gu, "").replace(/ß/g, "ss"))
        .toLowerCase()
        .replace(/[-_]/g, " ")
        .split(/\s+/)
        .filter(Boolean)
        .join(" ");
    const wordsOf = (text) => text.split(/\s+/).map(plain).filter(Boolean);
    const fallback = rows.map((row) => plain(row.filter((value) => value !== null).join("\n")));
    const valuesOf = (state, facet, i) => ((state.by === "survey" && facet.survey) || facet.values)[i];
    const fitsText = (words, i) => words.every((word) => (texts || fallback)[i].includes(word));
    const fitsFacet = (state, facet, i) => !state.chosen[facet.key].length || valuesOf(state, facet, i).some((value) => state.chosen[facet.key].includes(value));
    const lengthOf = (state, unit, i) => rows[i][at[`${state.shown ? "shown" : "definition"}_${unit}`]];
    // An unknown length never fits a bound.
    const fitsUnit = (state, unit, i) => {
      const [low, high] = [state.bounds[`min_${unit}`], state.bounds[`max_${unit}`]];
      if (low === null && high === null) return true;
      const value = lengthOf(state, unit, i);
      return value !== null && (low === null || value >= low) && (high === null || value <= high);
    };
    const fitsLength = (state, i) => fitsUnit(state, "frames", i) && fitsUnit(state, "seconds", i);

    const matching = (state, except) => {
      const words = wordsOf(state.text);
      return everyone.filter((i) => fitsText(words, i) && (except === "length" || fitsLength(state, i)) && facets.every((facet) => facet.key === except || fitsFacet(state, facet, i)));
    };
    const counts = (state, facet) => {
      const tally = {};
      for (const i of matching(state, facet.key)) for (const value of new Set(valuesOf(state, facet, i))) tally[value] = (tally[value] || 0) + 1;
      return tally;
    };
    // How many fit everything else but have no known length in a unit that is bounded.
    const unknownLengths = (state) => {
      const units = ["frames", "seconds"].filter((unit) => state.bounds[`min_${unit}`] !== null || state.bounds[`max_${unit}`] !== null);
      return matching(state, "length").filter((i) => units.some((unit) => lengthOf(state, unit, i) === null)).length;
    };

    const sorted = (state, found) => {
      const name = state.sort.replace(/^-/, "");
      if (!name) return found;
      const [column, way] = [at[name], state.sort.startsWith("-") ? -1 : 1];
      const value = (i) => (typeof rows[i][column] === "string" ? rows[i][column].toLowerCase() : rows[i][column]);
      const unknown = (i) => [null, "", "unknown"].includes(rows[i][column]);
      const before = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
      return [...found.filter((i) => !unknown(i)).sort((a, b) => way * before(a, b) || a - b), ...found.filter(unknown)];
    };

    // --- address ----------------------------------------------------------------------------------------------------
    // The names are those of the command's options; `q` would open the search of the whole site.
    const number = (text) => (text !== null && text.trim() !== "" && Number.isFinite(Number(text)) && Number(text) >= 0 ? Number(text) : null);
    const read = (search) => {
      const query = new URLSearchParams(search);
      const state = empty();
      state.text = query.get("text") || "";
      for (const facet of facets) {
        const known = facet.options.map(([value]) => value);
        const asked = list(query.get(facet.key)).flatMap((word) => {
          const span = facet.key === "year" && /^(\d{4})-(\d{4})$/.exec(word);
          return span ? known.filter((year) => year >= span[1] && year <= span[2]) : [word];
        });
        const folded = asked.map((word) => word.toLowerCase().replace(/[-_\s]/g, "_"));
        state.chosen[facet.key] = known.filter((value) => folded.includes(value.replace(/-/g, "_")));
      }
      for (const name of BOUNDS) state.bounds[name] = number(query.get(name));
      state.shown = query.has("shown") && query.get("shown") !== "0";
      if (query.get("by") === "survey") state.by = "survey";
      const sort = query.get("sort") || "";
      if (sortable.has(sort.replace(/^-/, ""))) state.sort = sort;
      if (query.has("columns")) state.columns = keys.filter((key) => key === "name" || list(query.get("columns")).includes(key));
      state.picked = rows.map((row) => row[at.slug]).filter((slug) => list(query.get("picked")).includes(slug));
      return state;
    };
    const write = (state) => {
      const query = new URLSearchParams();
      if (state.text) query.set("text", state.text);
      for (const { key } of facets) if (state.chosen[key].length) query.set(key, state.chosen[key].join(","));
      for (const name of BOUNDS) if (state.bounds[name] !== null) query.set(name, state.bounds[name]);
      if (state.shown) query.set("shown", "1");
      if (state.by !== "editors") query.set("by", state.by);
      if (state.sort) query.set("sort", state.sort);
      if (state.columns) query.set("columns", state.columns.join(","));
      if (state.picked.length) query.set("picked", state.picked.join(","));
      return query;
    };

    // --- the same question elsewhere ----------------------------------------------------------------------------------
    // `reproduction` with both answers chosen asks nothing.
    const asked = (state) => facets.filter(({ key }) => state.chosen[key].length && !(key === "reproduction" && state.chosen[key].length > 1));
    const visible = (state) => state.columns || usual.map((key) => (state.by === "survey" && { paradigm: "paradigm_survey", generators: "generators_survey" }[key]) || key);
    const exported = (state) => visible(state).flatMap((key) => columns.find((column) => column.key === key).exports);
    const command = (state) => {
      const parts = ["kiloframe list"];
      for (const { key } of asked(state)) parts.push(key === "reproduction" ? (state.chosen[key][0] === "yes" ? "--reproduction" : "--no-reproduction") : `--${key} ${state.chosen[key].join(",")}`);
      for (const name of BOUNDS) if (state.bounds[name] !== null) parts.push(`--${name.replace("_", "-")} ${state.bounds[name]}`);
      if (state.shown) parts.push("--shown");
      const text = state.text.trim().replace(/\s+/g, " ");
      if (text) parts.push(`--text ${shell(text)}`);
      if (state.by !== "editors") parts.push(`--by ${state.by}`);
      if (state.sort) parts.push(`--sort ${state.sort}`);
      if (state.columns) parts.push(`--columns ${exported(state).join(",")}`);
      return parts.join(" ");
    };
    const call = (state) => {
      const given = asked(state).map(({ key }) => {
        const values = state.chosen[key];
        return `${key}=${python(key === "reproduction" ? values[0] === "yes" : key === "year" ? values.map(Number) : values)}`;
      });
      for (const name of BOUNDS) if (state.bounds[name] !== null) given.push(`${name}=${state.bounds[name]}`);
      if (state.shown) given.push("shown=True");
      if (state.text.trim()) given.push(`text=${python(state.text.trim())}`);
      if (state.by !== "editors") given.push(`by=${python(state.by)}`);
      return `import kiloframe; methods = kiloframe.load().methods${given.length ? `.where(${given.join(", ")})` : ""}`;
    };

    // --- the rows as files; the same bytes of CSV as the command prints (kiloframe/exports.py) --------------------------
    const guarded = (value) => {
      if (value === null) return "";
      const text = String(value);
      const formula = typeof value === "string" && /^ *[=+\-@\t\r\n＝＋－＠]/.test(text) && !/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text);
      return (formula ? "'" : "") + text;
    };
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    const csv = (state, found) => {
      const columnsOut = exported(state);
      return [columnsOut, ...found.map((i) => columnsOut.map((name) => rows[i][at[name]]))].map((row) => `${row.map((value) => quoted(guarded(value))).join(",")}\n`).join("");
    };
    const json = (state, found) => `${JSON.stringify(found.map((i) => Object.fromEntries(exported(state).map((name) => [name, rows[i][at[name]]]))), null, 2)}\n`;
    const bibtex = (found) => `${[...new Set(found.map((i) => data.bibtex[i].trim()))].join("\n\n")}\n`;

    return {
      at, empty, read, write, matching, counts, unknownLengths, sorted, visible, usual, command, call, csv, json, bibtex,
      heard: (all) => (texts = all),
      hears: () => texts !== null,
    };
  };
})();
