"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const items = [...document.querySelectorAll(".item")].map((node) => ({ node, text: node.textContent.toLowerCase() }));
  const search = byId("search");
  const found = byId("found");
  const bars = [...document.querySelectorAll(".bar")];

  search.hidden = false;
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { node, text } of items) {
      node.hidden = !words.every((word) => text.includes(word));
      shown += !node.hidden;
    }
    for (const bar of bars) {
      const text = bar.dataset.text.toLowerCase();
      bar.classList.toggle("hit", words.length > 0 && words.every((word) => text.includes(word)));
    }
    found.textContent = words.length ? `${shown} of ${items.length}` : "";
  });

  const openTarget = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.hidden = false;
      target.scrollIntoView({ block: "center" });
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  const icicle = byId("icicle");
  if (!icicle) return;
  const reset = byId("reset");
  const hovered = byId("hovered");
  const height = Number(icicle.getAttribute("height"));

  // Drawn in pixels from here on, so that labels are not stretched.
  const draw = (from, width) => {
    const pixels = icicle.clientWidth || 1000;
    icicle.setAttribute("viewBox", `0 0 ${pixels} ${height}`);
    for (const bar of bars) {
      const start = Number(bar.dataset.x);
      const size = Number(bar.dataset.w);
      const left = Math.max(0, ((start - from) / width) * pixels);
      const right = Math.min(pixels, ((start + size - from) / width) * pixels);
      bar.style.display = right - left < 0.3 ? "none" : "";
      const [rect, label] = [bar.querySelector("rect"), bar.querySelector("svg")];
      rect.setAttribute("x", left);
      rect.setAttribute("width", Math.max(0.3, right - left - 1));
      label.setAttribute("x", left);
      label.setAttribute("width", Math.max(0, right - left - 4));
      bar.classList.toggle("dim", size > width + 1e-6);
    }
    reset.hidden = width === 1;
  };
  let view = [0, 1];
  const zoom = (from, width) => {
    view = [from, width];
    draw(from, width);
  };
  for (const bar of bars) {
    const choose = () => zoom(Number(bar.dataset.x), Number(bar.dataset.w));
    const tell = () => {
      hovered.textContent = bar.dataset.text;
      if (bar.dataset.unit) {
        const link = document.createElement("a");
        link.href = `#${bar.dataset.unit}`;
        link.textContent = " values and calls";
        hovered.append(link);
      }
    };
    bar.addEventListener("click", choose);
    bar.addEventListener("click", tell);
    bar.addEventListener("keydown", (event) => event.key === "Enter" && (choose(), tell()));
    bar.addEventListener("mouseenter", tell);
    bar.addEventListener("focus", tell);
  }
  reset.addEventListener("click", () => zoom(0, 1));
  addEventListener("resize", () => draw(...view));
  zoom(0, 1);
})();
