/* What the interactive pages share: making elements, copying, downloading, the address, quoting for shell and Python. */
(() => {
  "use strict";

  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // One polite voice for the whole page; it repeats a message that is said twice.
  let voice;
  const say = (message) => {
    if (!voice) document.body.append((voice = make("p", { class: "kf-voice", role: "status", "aria-live": "polite" })));
    voice.textContent = "";
    voice.classList.add("kf-voice-on");
    setTimeout(() => (voice.textContent = message), 30);
    clearTimeout(say.timer);
    say.timer = setTimeout(() => voice.classList.remove("kf-voice-on"), 2600);
  };

  const copy = async (text, said) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      // Pages served without encryption from another machine have no clipboard; the old way still works there.
      const field = make("textarea", { class: "kf-unseen", "aria-hidden": "true" });
      field.value = text;
      document.body.append(field);
      const before = document.activeElement;
      field.select();
      done = document.execCommand("copy");
      field.remove();
      if (before) before.focus();
    }
    say(done ? said : "The browser does not let this page copy; select the text instead");
  };

  const download = (name, type, text) => {
    const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    const link = make("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };

  // A line of code with a button that copies it.
  const line = (prompt, label, said) => {
    const code = make("code", { tabindex: "0" });
    const button = make("button", { type: "button", class: "kf-copy", "aria-label": label }, "Copy");
    button.addEventListener("click", () => copy(code.textContent, said));
    const row = make("div", { class: "kf-line-copy" }, make("span", { class: "kf-prompt", "aria-hidden": "true" }, prompt), code, button);
    return { row, set: (text) => code.textContent !== text && (code.textContent = text) };
  };

  const address = (query) => {
    const text = query.toString().replace(/%2C/g, ",");
    try {
      history.replaceState(null, "", location.pathname + (text ? `?${text}` : "") + location.hash);
    } catch {
      // Some browsers forbid this for pages opened from disk; the page works all the same.
    }
  };

  // A page's link with a question; served, the address looks better without index.html.
  const link = (href, query) => {
    const path = location.protocol === "file:" ? href : href.replace(/index\.html$/, "") || "./";
    const text = new URLSearchParams(query).toString().replace(/%2C/g, ",");
    return text ? `${path}?${text}` : path;
  };

  const list = (text) => (text || "").split(",").map((word) => word.trim()).filter(Boolean);
  const shell = (word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'"'"'`)}'`);
  const python = (value) =>
    value === true ? "True" : value === false ? "False" : Array.isArray(value) ? (value.length === 1 ? python(value[0]) : `[${value.map(python).join(", ")}]`) : JSON.stringify(value);

  window.kf = { make, say, copy, download, line, address, link, list, shell, python };
})();
