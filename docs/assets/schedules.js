/* The schedules of reproductions/parts/schedules.py and the tree of kiloframe/web/figures/paradigms.py, line by line,
   for readers who change the sizes. tests/browser/test_living_figures.py holds them against each other: change both. */
(() => {
  "use strict";
  const range = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);
  // Python rounds halves to the even neighbour.
  const round = (value) => {
    const low = Math.floor(value);
    const rest = value - low;
    return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low % 2 ? low + 1 : low;
  };

  function* autoregressive(frames, observed, window, fresh) {
    let done = observed;
    if (!done) {
      done = Math.min(window, frames);
      yield [[], range(0, done)];
    }
    while (done < frames) {
      const end = Math.min(done + fresh, frames);
      yield [range(Math.max(0, done - (window - fresh)), done), range(done, end)];
      done = end;
    }
  }

  function* longRange(frames, given, window, fresh) {
    let prefix = given;
    let done = prefix;
    if (!done) {
      done = Math.min(window, frames);
      yield [[], range(0, done)];
      prefix = done;
    }
    while (done < frames) {
      const budget = Math.min(window - fresh, done);
      const half = Math.floor(budget / 2);
      const recent = range(done - (budget - half), done);
      const far = range(0, prefix).reverse().filter((i) => i < recent[0]).slice(0, half);
      const more = range(0, recent[0]).reverse().filter((i) => !far.includes(i)).slice(0, budget - recent.length - far.length);
      const end = Math.min(done + fresh, frames);
      yield [sorted([...far, ...more, ...recent]), range(done, end)];
      done = end;
    }
  }

  function* hierarchy(frames, prefix, window, fresh, mixed) {
    const done = new Set(range(0, prefix));
    const rest = frames - prefix;
    if (!prefix) {
      const keys = frames > 1 ? sorted(range(0, window).map((i) => round((i * (frames - 1)) / (window - 1)))) : [0];
      yield [[], keys];
      keys.forEach((i) => done.add(i));
    } else if (rest > fresh) {
      const keys = range(0, fresh).map((i) => prefix + Math.floor(((i + 1) * rest) / fresh) - 1);
      const given = Math.min(window - fresh, prefix);
      yield [sorted(range(0, given).map((i) => round((i * (prefix - 1)) / Math.max(given - 1, 1)))), keys];
      keys.forEach((i) => done.add(i));
    }
    for (;;) {
      const missing = range(0, frames).filter((i) => !done.has(i));
      if (!missing.length) return;
      let size = Math.min(fresh, missing.length);
      let latent, between, budget;
      for (;;) {
        latent = missing.slice(0, size);
        between = range(latent[0], latent[size - 1]).filter((i) => done.has(i));
        budget = window - fresh + (fresh - size) - between.length;
        if (budget >= 2 || size === 1) break;
        size -= 1;
      }
      // A slice of a negative length would count from the end in JavaScript as it does in Python.
      const after = range(latent[latent.length - 1] + 1, frames).filter((i) => done.has(i)).slice(0, Math.floor(budget / 2));
      const before = range(0, latent[0]).reverse().filter((i) => done.has(i));
      let far = [];
      if (mixed && prefix) {
        const room = Math.floor((budget - after.length) / 2);
        const close = before.slice(0, budget - after.length - room);
        far = range(0, prefix).reverse().filter((i) => done.has(i) && !close.includes(i)).slice(0, room);
      }
      const near = before.filter((i) => !far.includes(i)).slice(0, budget - after.length - far.length);
      yield [sorted([...between, ...after, ...near, ...far]), latent];
      latent.forEach((i) => done.add(i));
    }
  }

  function* problems(name, frames, observed, window, fresh, horizon) {
    const half = Math.floor(horizon / 2);
    let base = 0;
    let prefix = observed;
    if (prefix > half) [base, prefix] = [observed - half, half];
    while (base + prefix < frames) {
      const end = Math.min(base + horizon, frames);
      const inner = name === "long-range" ? longRange(end - base, prefix, window, fresh) : hierarchy(end - base, prefix, window, fresh, name === "mixed");
      for (const [from, to] of inner) yield [from.map((i) => base + i), to.map((i) => base + i)];
      [base, prefix] = [end - half, half];
    }
  }

  function* tree(frames, clip) {
    let depth = 1;
    while ((clip - 1) ** depth < frames - 1) depth += 1;
    const every = (from, to, stride) => range(0, Math.ceil((to - from) / stride)).map((i) => from + i * stride);
    for (let level = 0; level < depth; level += 1) {
      const stride = (clip - 1) ** (depth - 1 - level);
      const span = stride * (clip - 1);
      if (!level) yield [[], every(0, span + 1, stride)];
      else for (const start of every(0, frames - 1, span)) yield [[start, start + span], every(start + stride, start + span, stride)];
    }
  }

  /** All calls of a schedule, in order: {observed, latent} with absolute, rising frame indices. */
  const schedule = (name, frames, { observed = 0, window = 8, fresh = 4, horizon = 64 } = {}) => {
    let steps;
    if (name === "tree") steps = tree(frames, window);
    else if (name === "autoregressive") steps = autoregressive(frames, observed, window, fresh);
    else steps = problems(name, frames, observed, window, fresh, horizon);
    return [...steps].map(([from, to]) => ({ observed: from, latent: to }));
  };

  /** Of every call, its place in the longest row of calls that end with it and wait for one another; the first has 1. */
  const waits = (steps) => {
    const depth = new Map();
    return steps.map(({ observed, latent }) => {
      const mine = 1 + observed.reduce((found, i) => Math.max(found, depth.get(i) || 0), 0);
      latent.forEach((i) => depth.set(i, mine));
      return mine;
    });
  };

  /** The longest row of calls of which each needs frames of the one before: what no number of machines makes shorter. */
  const chain = (steps) => Math.max(0, ...waits(steps));

  /** The widest span of frames that one call sees, those it looks at and those it makes; only the video's own count. */
  const span = (steps, frames) =>
    steps.reduce((most, { observed, latent }) => {
      const seen = [...observed, ...latent].map((i) => Math.min(i, frames - 1));
      return Math.max(most, Math.max(...seen) - Math.min(...seen) + 1);
    }, 0);

  globalThis.kiloframeSchedules = { schedule, waits, chain, span };
})();
