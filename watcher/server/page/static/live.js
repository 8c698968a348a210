// Keeps the page fresh: asks for the same address now and then, and changes what differs, in place.
"use strict";
(() => {
  const EVERY = 3000, SLOWEST = 30000;
  const fresh = document.getElementById("fresh");
  let wait = EVERY, timer = 0, tag = null, answered = Date.now();

  function tell(text, isStale) {
    if (fresh.textContent !== text) fresh.textContent = text;
    fresh.classList.toggle("stale", isStale);
  }

  function change(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    document.title = next.title;
    const from = document.querySelector("[data-live]"), to = next.querySelector("[data-live]");
    if (!from || !to) return;
    Idiomorph.morph(from, to, {
      ignoreActiveValue: true,
      callbacks: {
        // What a person has opened stays open, and what was typed stays typed.
        beforeAttributeUpdated: (name, node) =>
          !(name === "open" && node.tagName === "DETAILS") && !node.matches(".cursor"),
        beforeNodeMorphed: (node) => !(node.matches && node.matches("form.filter, output")),
      },
    });
    offerCopies();
  }

  async function look() {
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.status === 200) {
        tag = answer.headers.get("ETag");
        change(await answer.text());
      } else if (answer.status !== 304) {
        throw new Error(`HTTP ${answer.status}`);
      }
      answered = Date.now();
      wait = EVERY;
      tell(`as of ${new Date(answered).toISOString().slice(11, 19)}Z`, false);
    } catch {
      wait = Math.min(wait * 2, SLOWEST);
      tell(`No answer since ${new Date(answered).toISOString().slice(11, 19)}Z`, true);
    }
    again();
  }

  function again() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, wait);
  }

  function offerCopies() {
    for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
  }

  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain HTTP has no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  // Says the values of a chart where the pointer is, from the lines themselves.
  function point(figure, at) {
    const { low, high, first, last } = Object.fromEntries(Object.entries(figure.dataset).map(([k, v]) => [k, Number(v)]));
    const svg = figure.querySelector(".plot"), { width, height } = svg.viewBox.baseVal, box = svg.getBoundingClientRect();
    const x = ((at - box.left) / box.width) * width;
    const nearest = [...svg.querySelectorAll("polyline")].map((line) => {
      const points = [...line.points], distance = (each) => Math.abs(each.x - x);
      return [line.dataset.series, points.reduce((one, other) => (distance(other) < distance(one) ? other : one))];
    });
    if (!nearest.length) return;
    const closest = nearest.map(([, each]) => each.x).reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
    const step = Math.round(first + (closest / width) * (last - first));
    const value = (y) => (high - (y / height) * (high - low)).toPrecision(3);
    const said = nearest.map(([series, each]) => `${series} ${value(each.y)}`);
    figure.querySelector("output").textContent = [`step ${step}`, ...said].join(" · ");
    for (const end of ["x1", "x2"]) svg.querySelector(".cursor").setAttribute(end, closest);
  }

  document.addEventListener("pointermove", (event) => {
    const figure = event.target.closest("[data-chart]");
    if (figure) point(figure, event.clientX);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    copy(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  offerCopies();
  again();
})();
