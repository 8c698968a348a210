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
        beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
        beforeNodeMorphed: (node) => !(node.tagName === "FORM" && node.role === "search"),
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
