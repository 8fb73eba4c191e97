/* Server-sent events and the live tail. */
"use strict";
(() => {
  // Whoever watches must see that what is shown has become old.
  const PATIENCE_MS = 6000;
  const notLive = document.querySelector("[data-not-live]");
  let losing = 0;
  let growing = 0;
  const span = (seconds) => {
    const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
    return hours ? `${hours} h ${minutes % 60} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
  };
  const lost = (is) => {
    document.body.dataset.live = is ? "off" : "on";
    if (!notLive || is === Boolean(losing)) return;
    clearTimeout(losing);
    clearInterval(growing);
    losing = 0;
    if (!is) { notLive.hidden = true; notLive.textContent = ""; return; }
    const since = Date.now();
    const time = new Date().toLocaleTimeString("en-GB", { timeZone: document.body.dataset.zone });
    losing = setTimeout(() => {
      const again = document.createElement("a");
      again.href = location.href;
      again.textContent = "Load again";
      const age = document.createElement("span");
      age.ariaLive = "off";
      notLive.replaceChildren(`Not live: the console has not answered since ${time}. What is shown is `, age, " old. ", again);
      const grow = () => { age.textContent = span((Date.now() - since) / 1000); };
      grow();
      growing = setInterval(grow, 1000);
      notLive.hidden = false;
    }, PATIENCE_MS);
  };

  // A source that rests while nobody looks: browsers allow six connections to one server, and
  // every tab would hold one.
  const REST_MS = 20000;
  const feed = (url) => {
    let source;
    let timer = 0;
    let closed = false;
    const listeners = [];
    const self = {
      onopen: null,
      onerror: null,
      get readyState() { return source ? source.readyState : EventSource.OPEN; },
      addEventListener(name, listener) {
        listeners.push([name, listener]);
        if (source) source.addEventListener(name, listener);
      },
      removeEventListener(name, listener) {
        const at = listeners.findIndex((each) => each[0] === name && each[1] === listener);
        if (at >= 0) listeners.splice(at, 1);
        if (source) source.removeEventListener(name, listener);
      },
      close() { closed = true; rest(); },
    };
    const wake = () => {
      clearTimeout(timer);
      if (source || closed) return;
      source = new EventSource(url);
      source.onopen = (event) => { lost(false); if (self.onopen) self.onopen(event); };
      source.onerror = (event) => {
        lost(true);
        if (source.readyState === EventSource.CLOSED && self.onerror) self.onerror(event);
      };
      for (const [name, listener] of listeners) source.addEventListener(name, listener);
    };
    const rest = () => { if (source) source.close(); source = undefined; lost(false); };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(rest, REST_MS); else wake();
    });
    window.addEventListener("pagehide", rest);
    window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
    wake();
    return self;
  };
  if (window.htmx) htmx.createEventSource = feed;

  // What one reads, points at or has in focus is not replaced under one's hands.
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const place = event.target;
    if ("calm" in place.dataset && (place.contains(document.activeElement) || chosen(place))) {
      event.preventDefault();
    } else if ("tail" in place.dataset) {
      event.preventDefault();
      take(place, event.detail.data);
    } else if ("plot" in place.dataset) {
      event.preventDefault();
      place.dispatchEvent(new CustomEvent("plotdata", { detail: event.detail.data }));
    }
  });
  // The verdict is read out when it says something else, not with every number that moves; whoever
  // stands on one of its links stays there.
  const announce = document.querySelector("[data-announce]");
  const words = (place) => [...place.querySelectorAll("[data-verdict]")].map((each) => each.textContent.replace(/\s+/g, " ").trim()).join(" ");
  const gist = (text) => text.replace(/since .*? [0-9:]{8}/, "").replace(/[0-9][0-9.,]*/g, "#").replace(/\b(stream|caller)s\b/g, "$1");
  const verdict = document.querySelector("#verdict > [sse-swap]");
  let told = verdict ? gist(words(verdict)) : "";
  let way;
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (event.target === verdict) way = verdict.contains(document.activeElement) ? document.activeElement.dataset.way : undefined;
  });
  document.addEventListener("htmx:sseMessage", (event) => {
    if (event.target !== verdict) return;
    if (way) verdict.querySelector(`[data-way="${way}"]`)?.focus();
    const said = words(verdict);
    if (gist(said) === told) return;
    told = gist(said);
    if (announce) announce.textContent = said;
  });
  const chosen = (place) => {
    const selection = getSelection();
    return Boolean(selection && !selection.isCollapsed && place.contains(selection.anchorNode));
  };

  // The tail: paused by scrolling, pointing keys into it, or the button; bounded in any case.
  const MOST = 300;
  const tail = document.querySelector("[data-tail]");
  const button = document.querySelector("[data-pause]");
  const fresh = document.querySelector("[data-fresh]");
  let held = false;
  let waiting = [];
  let missed = 0;
  const paused = () => held || (tail && (tail.scrollTop > 8 || tail.contains(document.activeElement) && document.activeElement !== tail || chosen(tail)));
  const take = (place, html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const newest = Number(place.querySelector("[data-seq]")?.dataset.seq || 0);
    const known = Math.max(newest, ...waiting.map((row) => Number(row.dataset.seq)));
    const rows = [...template.content.querySelectorAll("li")].filter((row) => {
      const seq = Number(row.dataset.seq);
      return !seq || seq > known;
    });
    if (!rows.some((row) => Number(row.dataset.seq))) return;
    waiting = rows.concat(waiting);
    missed += rows.length;
    if (paused()) {
      waiting.length = Math.min(waiting.length, MOST);
      if (fresh) fresh.textContent = `${missed} new`;
    } else {
      release();
    }
  };
  const release = () => {
    if (!tail) return;
    const rows = waiting.slice(0, MOST);
    for (const row of rows) row.classList.add("fresh");
    tail.prepend(...rows);
    while (tail.children.length > MOST) tail.lastElementChild.remove();
    if (rows.length) for (const empty of document.querySelectorAll("[data-tail-empty]")) empty.remove();
    waiting = [];
    missed = 0;
    if (fresh) fresh.textContent = "";
  };
  if (tail && button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      held = !held;
      button.setAttribute("aria-pressed", String(held));
      button.textContent = held ? "Resume" : "Pause";
      if (!held) { tail.scrollTop = 0; release(); }
    });
    const again = () => { if (!paused() && waiting.length) release(); };
    tail.addEventListener("scroll", again, { passive: true });
    tail.addEventListener("focusout", () => setTimeout(again));
  }
})();
