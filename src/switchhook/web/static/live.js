/* Server-sent events, the live tail and the plots. */
"use strict";
(() => {
  // Whoever watches must see that what is shown has become old.
  const PATIENCE_MS = 6000;
  const notLive = document.querySelector("[data-not-live]");
  let losing = 0;
  const lost = (is) => {
    document.body.dataset.live = is ? "off" : "on";
    if (!notLive || is === Boolean(losing)) return;
    clearTimeout(losing);
    losing = 0;
    if (!is) { notLive.hidden = true; notLive.textContent = ""; return; }
    const time = new Date().toLocaleTimeString("en-GB", { timeZone: document.body.dataset.zone });
    losing = setTimeout(() => {
      notLive.textContent = `Not live: the console has not answered since ${time}. What is shown is from then.`;
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
      place.dataset.points = event.detail.data;
      draw(place);
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

  // Plots. Their colours come from the stylesheet, by the swatches of their legend.
  const plots = new Map();
  const ink = (name, place) => {
    const probe = document.createElement("span");
    probe.className = name;
    probe.hidden = true;
    place.append(probe);
    const colour = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return colour;
  };
  const inkOf = (variable) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${variable})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
  const WHOLE = [1, 2, 5].flatMap((n) => [...Array(7).keys()].map((at) => n * 10 ** at)).sort((a, b) => a - b);
  const zone = document.body.dataset.zone;
  const options = (place, series, extra) => {
    const axis = { stroke: inkOf("--ink-2"), grid: { stroke: inkOf("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { show: true, drag: { x: false, y: false }, points: { show: false } },
      padding: [8, 14, 0, 0],
      axes: [
        { ...axis, grid: { show: false }, values: "{HH}:{mm}", space: 60, size: 26, ...(extra.xAxis || {}) },
        { ...axis, size: 36, space: 32, incrs: WHOLE },
      ],
      scales: { x: extra.x || {}, y: { range: (u, low, high) => [0, Math.max(high, extra.least || 4) * 1.05] } },
      series: [{}, ...series],
      ...extra.more,
    };
  };
  const stacked = (points) => {
    const [times, ...rows] = points;
    const sums = rows.map((row) => row.slice());
    for (let at = 1; at < sums.length; at++) {
      for (let i = 0; i < times.length; i++) sums[at][i] += sums[at - 1][i];
    }
    return [times, ...sums.reverse()];
  };
  // Each series from its own sum down to that of the series below it, which is the next one.
  const blocks = (u, at, first, last) => {
    const path = new Path2D();
    const [times] = u.data;
    const below = u.data[at + 1];
    const room = times.length > 1 ? u.valToPos(times[1], "x", true) - u.valToPos(times[0], "x", true) : 20;
    const width = Math.max(Math.floor(Math.min(room * 0.8, 60)), 1);
    for (let i = first; i <= last; i++) {
      const top = Math.round(u.valToPos(u.data[at][i], "y", true));
      const low = Math.round(u.valToPos(below ? below[i] : 0, "y", true));
      if (low > top) path.rect(Math.round(u.valToPos(times[i], "x", true) - width / 2), top, width, low - top);
    }
    return { stroke: null, fill: path, clip: null, band: null, gaps: [], flags: 3 };
  };
  const kinds = {
    stacked(place, points) {
      const count = points.length - 1;
      const series = [...Array(count).keys()].map((at) => {
        const colour = ink(`group-${count - 1 - at}`, place);
        return { fill: colour, width: 0, paths: blocks, points: { show: false } };
      });
      const x = { range: (u, low, high) => [low - 30, high + 30] };
      return [options(place, series, { x }), stacked(points)];
    },
    capacity(place, points) {
      // times; lowest, highest; expected low, high; allowed, mean, expected middle
      const line = (colour, more) => ({ stroke: colour, width: 1.5, points: { show: false }, ...more });
      const edge = line("transparent", { width: 0 });
      const accent = ink("series-0", place);
      const soft = inkOf("--accent-band");
      const series = [
        edge, { ...edge }, { ...edge }, { ...edge },
        line(inkOf("--bad"), { dash: [6, 4] }),
        line(accent, { width: 2, points: { size: 5, fill: accent } }),
        line(accent, { dash: [3, 3] }),
      ];
      const more = { bands: [{ series: [2, 1], fill: soft }, { series: [4, 3], fill: soft }] };
      const times = points[0];
      const [from, until] = [Number(place.dataset.from), Number(place.dataset.until)];
      const x = { range: (u, low, high) => [Math.min(low ?? from, from), Math.max(high ?? until, until)] };
      const span = Math.max(until - from, times.length ? times[times.length - 1] - times[0] : 0);
      const xAxis = span > 90000 ? { values: "{D} {MMM} {HH}:{mm}", space: 100 } : {};
      return [options(place, series, { more, x, xAxis, least: 2 }), points];
    },
  };
  const draw = (place) => {
    if (!window.uPlot) return;
    let points;
    try { points = JSON.parse(place.dataset.points); } catch { return; }
    const known = plots.get(place);
    if (known) {
      known.setData(place.dataset.plot === "stacked" ? stacked(points) : points);
      return;
    }
    const [settings, data] = kinds[place.dataset.plot](place, points);
    plots.set(place, new uPlot(settings, data, place));
  };
  const redraw = () => {
    for (const [place, plot] of [...plots]) { plot.destroy(); plots.delete(place); draw(place); }
  };
  for (const place of document.querySelectorAll("[data-plot]")) draw(place);
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = plots.get(target);
      if (plot && (plot.width !== target.clientWidth || plot.height !== target.clientHeight)) {
        plot.setSize({ width: target.clientWidth, height: target.clientHeight });
      }
    }
  });
  for (const place of plots.keys()) sizes.observe(place);
})();
