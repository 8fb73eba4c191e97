/* Pages that renew themselves: figures in place, new rows of a list when they are asked for.
   docs/console.md says how a page takes part: the macro `live`, and the topics of its block. */
"use strict";
(() => {
  const main = document.getElementById("main");
  const parts = [...document.querySelectorAll("[data-live]")].filter((part) => part !== document.body);
  const news = document.querySelector("[data-topics]");
  if (!main || !news || !parts.length) return;

  const PACE_MS = 1000;
  const AGE_MS = 30000;   // ages in words grow old even where nothing happens
  const MOST = 500;       // rows of a list that is renewed again and again
  const topics = news.dataset.topics.split(" ");
  let known = JSON.parse(news.dataset.news);
  let timer = 0;
  let due = 0;
  const rowsOf = (part) => part.querySelector("[data-rows]");
  const keyed = (part) => new Map([...(rowsOf(part)?.children || [])].filter((row) => row.dataset.id).map((row) => [row.dataset.id, row]));

  // What one reads, has in focus, selects or fills in is not replaced under one's hands.
  const held = (place) => {
    const selection = getSelection();
    return place.contains(document.activeElement)
      || Boolean(selection && !selection.isCollapsed && place.contains(selection.anchorNode))
      || place.querySelector("details[open] form") !== null
      || [...place.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue);
  };
  const told = new Map();
  const renew = (place, fresh) => {
    const html = fresh.innerHTML;
    if (told.get(place) === html || place.innerHTML === html || held(place)) return;
    told.set(place, html);
    // A plot is drawn on; it takes its points and stays. Other plots are another page.
    const [drawn, plots] = [place, fresh].map((each) => [...each.querySelectorAll("[data-plot]")]);
    const charts = plots.map((plot) => plot.dataset.chart);
    if (drawn.map((plot) => plot.ariaLabel).join() !== plots.map((plot) => plot.ariaLabel).join()) {
      location.reload();
      return;
    }
    plots.forEach((plot, at) => plot.replaceWith(drawn[at]));
    const open = [...place.querySelectorAll("details")].map((each) => each.open);
    [...fresh.querySelectorAll("details")].forEach((each, at) => { each.open = open[at] ?? each.open; });
    place.replaceChildren(...fresh.childNodes);
    drawn.forEach((plot, at) => plot.dispatchEvent(new CustomEvent("plotdata", { detail: charts[at] })));
  };

  // A list: known rows in place, new ones offered.
  const offered = new Map();
  const offer = (part, fresh) => {
    const old = keyed(part);
    const rows = keyed(fresh);
    if (!old.size) {
      if (rows.size) offered.set(part, fresh); else renew(part, fresh);
    } else {
      for (const [id, row] of rows) if (old.has(id)) renew(old.get(id), row.cloneNode(true));
      offered.set(part, fresh);
    }
    const count = [...rows.keys()].filter((id) => !old.has(id)).length;
    const place = part.querySelector("[data-offer]");
    if (!count || !place) { offered.delete(part); return; }
    const text = `${count}${old.size && count === rows.size ? " or more" : ""} new`;
    if (place.textContent === text) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = text;
    button.addEventListener("click", () => show(part));
    place.replaceChildren(button);
  };
  const show = (part) => {
    const fresh = offered.get(part);
    if (!fresh) return;
    offered.delete(part);
    part.querySelector("[data-offer]").replaceChildren();
    const list = rowsOf(part);
    const target = rowsOf(fresh);
    if (!list || !target) { renew(part, fresh); return; }
    const old = keyed(part);
    // Whoever has scrolled down goes on reading the same row at the same place.
    const anchor = list.getBoundingClientRect().top < 0 && [...old.values()].find((row) => row.getBoundingClientRect().bottom > 0);
    const before = anchor && anchor.getBoundingClientRect().top;
    let at = list.firstElementChild;
    let first;
    for (const row of [...target.children]) {
      const same = old.get(row.dataset.id);
      if (same) { at = same.nextElementSibling; continue; }
      row.classList.add("fresh");
      list.insertBefore(row, at);
      first ??= row;
    }
    while (list.children.length > MOST) list.lastElementChild.remove();
    if (anchor) scrollBy(0, anchor.getBoundingClientRect().top - before);
    first?.querySelector("a[href]")?.focus({ preventScroll: true });
  };

  const take = (page) => {
    const said = page.querySelector("[data-topics]");
    if (said) known = JSON.parse(said.dataset.news);
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      if (part.dataset.live === "list") offer(part, fresh); else renew(part, fresh);
    }
    const [old, now] = [document, page].map((each) => each.querySelector("[data-as-of]"));
    if (old && now) old.replaceChildren(...now.childNodes);
  };
  const look = async () => {
    timer = 0;
    const begun = performance.now();
    if (!document.hidden && document.body.dataset.live === "on") {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error", cache: "no-store" });
        if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch { /* the feed says that the console is gone */ }
    }
    // One that takes long to make is asked for seldom.
    due = performance.now() + Math.max(PACE_MS, 5 * (performance.now() - begun));
    plan(AGE_MS);
  };
  const plan = (wait) => {
    const at = Math.max(performance.now() + wait, due);
    if (timer && timer.at <= at) return;
    if (timer) clearTimeout(timer.id);
    timer = { at, id: setTimeout(look, at - performance.now()) };
  };
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (event.target !== news) return;
    event.preventDefault();
    const now = JSON.parse(event.detail.data);
    if (topics.some((topic) => now[topic] !== known[topic])) plan(0);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) plan(0); });
  plan(AGE_MS);
})();
