/* Figure 3, moving: two schedules side by side, call by call, for the length and the clip size that the reader sets.
   Needs schedules.js. Without either, the page shows each schedule as a still picture and the calls as a table. */
(() => {
  "use strict";
  const figure = document.getElementById("kf-paradigms");
  const { schedule, waits, chain, span } = globalThis.kiloframeSchedules || {};
  if (!figure || !schedule) return;

  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const draw = (tag, attributes = {}) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const plans = [...figure.querySelectorAll("template")].map((one) => ({ ...one.dataset, idea: one.content.textContent.trim() }));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const state = { frames: Number(figure.dataset.frames), window: Number(figure.dataset.window), at: 0, together: false, timer: 0 };

  const runs = (frames) => {
    const found = [];
    for (const frame of frames) {
      const last = found[found.length - 1];
      if (last && frame === last[0] + last[1]) last[1] += 1;
      else found.push([frame, 1]);
    }
    return found;
  };
  const squares = (frames, y, height = 1) => runs(frames).map(([first, count]) => `M${first} ${y}h${count}v${height}h-${count}z`).join("");
  const words = (frames) => {
    const parts = runs(frames).map(([first, count]) => (count === 1 ? `${first}` : `${first} to ${first + count - 1}`));
    return parts.length > 6 ? `${parts.slice(0, 5).join(", ")}, … ${parts[parts.length - 1]}` : parts.join(", ");
  };

  // --- one schedule ------------------------------------------------------------------------------------------------
  class Panel {
    constructor(name) {
      this.name = name;
      this.select = make("select", { "aria-label": "Schedule" }, ...plans.map(({ plan, title, paradigm }) => make("option", { value: plan }, `${title} (${paradigm})`)));
      this.select.value = name;
      this.select.addEventListener("change", () => {
        this.name = this.select.value;
        restart();
      });
      this.idea = make("p", { class: "kf-player-idea" });
      this.arcs = draw("svg", { class: "kf-player-arcs", preserveAspectRatio: "none", "aria-hidden": "true" });
      this.strip = draw("svg", { class: "kf-player-strip", preserveAspectRatio: "none", role: "img" });
      this.past = draw("svg", { class: "kf-plan kf-player-plan", preserveAspectRatio: "none", "aria-hidden": "true" });
      this.arc = draw("path", { class: "kf-player-arc", "vector-effect": "non-scaling-stroke" });
      this.arcs.append(this.arc);
      this.layers = ["done", "from", "made"].map((kind) => draw("path", { class: `kf-player-${kind}` }));
      this.strip.append(...this.layers);
      this.rows = ["from", "made"].map((kind) => draw("path", { class: `kf-plan-${kind}` }));
      this.past.append(...this.rows);
      this.said = make("p", { class: "kf-player-said" });
      this.numbers = make("dl", { class: "kf-player-numbers" });
      this.element = make("section", { class: "kf-player-panel" }, this.select, this.idea, this.arcs, this.strip, this.said, this.past, this.numbers);
    }

    plan() {
      const { frames, window } = state;
      this.steps = schedule(this.name, frames, { window, fresh: window / 2, horizon: Math.max(frames, 2 * window) });
      this.row = new Map(this.steps.map((step, i) => [step, i]));
      const depth = waits(this.steps);
      // A tick is one call or, where calls that need not wait run together, all calls of one depth.
      const groups = this.steps.map((_, i) => (state.together ? depth[i] - 1 : i));
      this.ticks = [];
      groups.forEach((tick, i) => (this.ticks[tick] ||= []).push(this.steps[i]));
      this.idea.textContent = plans.find(({ plan }) => plan === this.name).idea;
      this.strip.setAttribute("viewBox", `0 0 ${frames} 1`);
      this.arcs.setAttribute("viewBox", `0 0 ${frames} 1`);
      this.past.setAttribute("viewBox", `0 0 ${frames} ${this.steps.length}`);
    }

    show(at) {
      const inside = (frames) => frames.filter((i) => i < state.frames);
      const now = at ? this.ticks[Math.min(at, this.ticks.length) - 1] : [];
      const past = this.ticks.slice(0, Math.min(at, this.ticks.length)).flat();
      const over = at > this.ticks.length;
      const done = new Set(past.flatMap(({ latent }) => latent));
      const made = over ? [] : inside([...new Set(now.flatMap(({ latent }) => latent))].sort((a, b) => a - b));
      const from = over ? [] : inside([...new Set(now.flatMap(({ observed }) => observed))].sort((a, b) => a - b));
      const sorted = inside([...done].sort((a, b) => a - b));
      [sorted, from, made].forEach((frames, i) => this.layers[i].setAttribute("d", squares(frames, 0)));
      const links = over ? [] : now.flatMap(({ observed, latent }) => observed.flatMap((a) => latent.map((b) => [a + 0.5, b + 0.5])));
      const thin = Math.ceil(links.length / 160);
      this.arc.setAttribute("d", links.filter((_, i) => i % thin === 0).map(([a, b]) => `M${a} 1Q${(a + b) / 2} ${1 - Math.min(1.9, 0.4 + (6 * Math.abs(a - b)) / state.frames)} ${b} 1`).join(""));
      const rows = (key) => past.map((step) => squares(inside(step[key]), this.row.get(step))).join("");
      this.rows[0].setAttribute("d", rows("observed"));
      this.rows[1].setAttribute("d", rows("latent"));
      let ready = 0;
      while (done.has(ready) && ready < state.frames) ready += 1;
      const total = this.steps.length;
      const calls = past.length;
      let what = `Calls ${calls - now.length + 1} to ${calls} of ${total}, all at once, make ${made.length} frames.`;
      if (!at) what = `Nothing is made yet; ${total} ${total === 1 ? "call" : "calls"} to go.`;
      else if (over) what = `Done after ${total} ${total === 1 ? "call" : "calls"}.`;
      else if (now.length === 1) what = `Call ${calls} of ${total} makes frames ${words(made)} from ${from.length ? words(from) : "nothing"}.`;
      this.said.textContent = what;
      this.strip.setAttribute("aria-label", `${what} ${sorted.length} of ${state.frames} frames are made.`);
      const shown = [
        ["Calls", total],
        ["One after the other", chain(this.steps)],
        ["Widest call", `${span(this.steps, state.frames)} frames`],
        ["Can be watched", `${ready} of ${state.frames}`],
      ];
      this.numbers.replaceChildren(...shown.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, `${value}`))));
    }
  }

  // --- controls ----------------------------------------------------------------------------------------------------
  const panels = [new Panel("autoregressive"), new Panel("tree")];
  const last = () => Math.max(...panels.map(({ ticks }) => ticks.length));
  const button = (text, pressed, about) => {
    const element = make("button", { type: "button", ...(about ? { "aria-label": about } : {}) }, text);
    element.addEventListener("click", pressed);
    return element;
  };
  const slider = (title, key, min, max, step, unit) => {
    const output = make("b");
    const input = make("input", { type: "range", min, max, step, value: state[key], "aria-label": title });
    const told = () => {
      output.textContent = `${state[key]} ${unit}`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      state[key] = Number(input.value);
      told();
      restart();
    });
    told();
    return make("label", {}, make("span", {}, `${title} `, output), input);
  };
  const show = () => {
    panels.forEach((panel) => panel.show(state.at));
    back.disabled = !state.at;
    forth.disabled = state.at >= last();
  };
  const pause = () => {
    clearTimeout(state.timer);
    state.timer = 0;
    play.textContent = "Play";
    for (const { said } of panels) said.setAttribute("aria-live", "polite");
  };
  const tick = () => {
    if (state.at >= last()) return pause();
    state.at += 1;
    show();
    // However many calls there are, a run lasts some twenty seconds at most.
    state.timer = setTimeout(tick, Math.max(60, Math.min(900, 20000 / last())));
  };
  const start = () => {
    if (state.at >= last()) state.at = 0;
    for (const { said } of panels) said.removeAttribute("aria-live"); // read out only when stepped by hand
    play.textContent = "Pause";
    state.timer = setTimeout(tick, 300);
    show();
  };
  const move = (by) => {
    pause();
    state.at = Math.max(0, Math.min(last(), state.at + by));
    show();
  };
  const restart = () => {
    const running = Boolean(state.timer);
    pause();
    state.at = 0;
    panels.forEach((panel) => panel.plan());
    show();
    if (running) start();
  };
  const play = button("Play", () => (state.timer ? pause() : start()));
  play.className = "kf-main";
  const back = button("◀ Step back", () => move(-1), "Step back");
  const forth = button("Step ▶", () => move(1), "Step");
  const together = make("input", { type: "checkbox" });
  together.addEventListener("change", () => {
    state.together = together.checked;
    restart();
  });
  const legend = make(
    "p",
    { class: "kf-legend" },
    ...[["made", "being made"], ["from", "looked at"], ["done", "made before"]].map(([kind, text]) => make("span", {}, make("span", { class: `kf-swatch kf-swatch-${kind}`, "aria-hidden": "true" }), text)),
  );
  figure.append(
    make(
      "div",
      { class: "kf-controls" },
      play,
      back,
      forth,
      button("To the end", () => move(last())),
      slider("Length", "frames", 16, 256, 8, "frames"),
      slider("Clip", "window", 4, 32, 2, "frames"),
      make("label", { class: "kf-figure-check" }, together, "run what need not wait at once"),
    ),
    legend,
    make("div", { class: "kf-player" }, ...panels.map(({ element }) => element)),
    make("figcaption", {}, "Above: the frames of the video and what the present call does. Below: every call so far, one per row. Both run in step, one call at a time."),
  );
  figure.hidden = false;
  restart();
  // It starts when it comes into sight, unless less motion is asked for.
  if (!still.matches && "IntersectionObserver" in window) {
    const watch = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) {
          watch.disconnect();
          if (!still.matches && !state.at && !state.timer) start();
        }
      },
      { threshold: 0.4 },
    );
    watch.observe(panels[0].element);
  }
  still.addEventListener("change", () => still.matches && pause());
})();
