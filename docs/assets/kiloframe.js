/* Small helps for every page; all of them work without this file too. */
(() => {
  "use strict";

  // Links name index.html so that they work from disk; served, the address looks better without it.
  if (location.protocol !== "file:") {
    for (const link of document.querySelectorAll("a[href]")) {
      const href = link.getAttribute("href");
      if (/^[^:]*index\.html([#?].*)?$/.test(href)) {
        link.setAttribute("href", href.replace(/index\.html([#?]|$)/, "$1") || "./");
      }
    }
  }

  // The text of a source marker: kept within the window, closed by Escape.
  const place = (mark) => {
    const text = mark.querySelector(".kf-src-text");
    if (!text) return;
    mark.classList.remove("kf-src-closed");
    text.style.left = text.style.top = "";
    const at = mark.getBoundingClientRect();
    const box = text.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(at.left - 8, room - box.width - 8));
    const below = at.bottom + 4;
    const top = below + box.height > innerHeight ? Math.max(8, at.top - box.height - 4) : below;
    text.style.left = `${left}px`;
    text.style.top = `${top}px`;
  };
  const marked = (event) => event.target instanceof Element && event.target.closest(".kf-src");
  let last = null;
  const opened = (event) => {
    const mark = marked(event);
    if (mark && mark !== last) place(mark);
    last = mark;
  };
  document.addEventListener("mouseover", opened);
  document.addEventListener("focusin", opened);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.querySelectorAll(".kf-src:hover, .kf-src:focus").forEach((mark) => mark.classList.add("kf-src-closed"));
      last = null;
    }
  });
  document.addEventListener("scroll", () => last && last.matches(":hover, :focus") && place(last), { passive: true, capture: true });

  // Whatever scrolls sideways can be reached by keyboard, and only while it does.
  const reach = () => {
    const boxes = ".md-typeset__scrollwrap, .md-content :is(table, pre > code), .kf-math, .kf-output-html, .kf-figure";
    for (const box of document.querySelectorAll(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
      if (scrolls && !box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.dataset.kfReach = "";
      } else if (!scrolls && "kfReach" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.kfReach;
      }
    }
  };
  addEventListener("load", reach);
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(reach);
  });

  // The moving picture of the front page moves by itself only for readers who have not asked for less motion.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  for (const video of document.querySelectorAll("video[data-kf-play]")) {
    if (!still.matches) video.play().catch(() => {});
    still.addEventListener("change", () => still.matches && video.pause());
  }
})();
