/* The plots: values under the pointer, zoom, marks, and the way to the streams behind each.
   What a plot shows is the JSON of `data-chart` (web/chart.py); its colours come from the stylesheet. */
"use strict";
(() => {
  if (!window.uPlot) return;
  const zone = document.body.dataset.zone;
  const zoneWord = zone === "Asia/Kolkata" ? "IST" : zone;
  const states = new Map();
  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const inkOf = (variable) => {
    const probe = make("span");
    probe.style.color = `var(${variable})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };

  // Times, as the page shows them.
  const shown = (seconds, options) =>
    new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", ...options }).format(new Date(seconds * 1000));
  const dayOf = (seconds) => shown(seconds, { day: "2-digit", month: "short", hour: undefined, minute: undefined });
  const stretch = (from, until) => `${dayOf(from)} ${shown(from)}${until > from ? `–${shown(until)}` : ""} ${zoneWord}`;
  const utc = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

  // What is drawn: of stacked kinds sums from the bottom up, the topmost series first.
  const sums = (rows) => {
    const found = rows.map((row) => row.slice());
    for (let at = 1; at < found.length; at++) {
      for (let i = 0; i < found[at].length; i++) found[at][i] += found[at - 1][i];
    }
    return found;
  };
  // A stretch is told by its beginning and drawn around its middle, so that a mark in it stands in its bar.
  const halfOf = (chart) => (chart.kind === "lines" ? 0 : chart.step / 2);
  const drawn = (chart) => {
    const [begins, ...rows] = chart.points;
    if (chart.kind === "lines") return chart.points;
    const times = begins.map((at) => at + halfOf(chart));
    const stacked = sums(rows);
    const whole = stacked[stacked.length - 1] || [];
    const scaled = chart.kind === "share" ? stacked.map((row) => row.map((n, i) => (whole[i] ? (100 * n) / whole[i] : 0))) : stacked;
    return [times, ...scaled.reverse()];
  };
  // Each series from its own sum down to that of the one below it, which is drawn next.
  const blocks = (u, at, first, last) => {
    const path = new Path2D();
    const [times] = u.data;
    const below = u.data[at + 1];
    const room = times.length > 1 ? u.valToPos(times[1], "x", true) - u.valToPos(times[0], "x", true) : 20;
    const width = Math.max(Math.floor(Math.min(room * 0.8, 60 * devicePixelRatio)), 1);
    for (let i = first; i <= last; i++) {
      const top = Math.round(u.valToPos(u.data[at][i], "y", true));
      const low = Math.round(u.valToPos(below ? below[i] : 0, "y", true));
      const gap = below && low - top > 3 ? 1 : 0; // neighbours are told apart without their colours
      if (low > top) path.rect(Math.round(u.valToPos(times[i], "x", true) - width / 2), top, width, low - top - gap);
    }
    return { stroke: null, fill: path, clip: null, band: null, gaps: [], flags: 3 };
  };
  const WHOLE = [1, 2, 5].flatMap((n) => [...Array(7).keys()].map((at) => n * 10 ** at)).sort((a, b) => a - b);

  const seriesOf = (chart) => {
    if (chart.kind !== "lines") {
      return chart.series.map((each) => ({ fill: inkOf(each.ink), width: 0, paths: blocks, points: { show: false } })).reverse();
    }
    return chart.series.map((each) => {
      if (!each.ink) return { stroke: "transparent", width: 0, points: { show: false } };
      const colour = inkOf(each.ink);
      const points = each.dash ? { show: false } : { size: 5, fill: colour };
      return { stroke: colour, width: each.dash ? 1.5 : 2, dash: each.dash, points };
    });
  };
  // All there is, to the end of the last stretch.
  const whole = (state) => {
    const { chart } = state;
    const [times] = chart.points;
    const from = Math.min(times[0] ?? Infinity, chart.from ?? Infinity);
    const until = Math.max(times[times.length - 1] ?? -Infinity, chart.until ?? -Infinity);
    return [from, until + 2 * halfOf(chart)];
  };
  const options = (state) => {
    const { chart, place } = state;
    const axis = { stroke: inkOf("--ink-2"), grid: { stroke: inkOf("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const days = () => { const [from, until] = state.zoom || whole(state); return until - from > 90000; };
    const most = chart.kind === "share" ? 100 : 0;
    const soft = inkOf("--accent-band");
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 6 }, points: { show: false } },
      padding: [chart.marks.length ? 26 : 8, 14, 0, 0],
      axes: [
        { ...axis, grid: { show: false }, space: 64, size: 26, values: (u, at) => at.map((s) => (days() ? `${dayOf(s)} ${shown(s)}` : shown(s))) },
        { ...axis, size: 40, space: 32, incrs: WHOLE, values: (u, at) => at.map((n) => (most ? `${n} %` : n)) },
      ],
      scales: {
        x: { range: () => state.zoom || whole(state) },
        y: { range: (u, low, high) => [0, most || Math.max(high, chart.kind === "lines" ? 2 : 4) * 1.05] },
      },
      bands: (chart.bands || []).map((series) => ({ series, fill: soft })),
      series: [{}, ...seriesOf(chart)],
      hooks: {
        setCursor: [() => point(state)],
        setSelect: [(u) => select(state, u.select)],
        draw: [(u) => lines(state, u)],
        drawClear: [() => placeMarks(state)],
      },
    };
  };

  // Marks: a line for each, and a word that leads to what happened.
  const lines = (state, u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = inkOf("--ink-2");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const mark of state.chart.marks) {
      const x = Math.round(u.valToPos(mark.at, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  const placeMarks = (state) => {
    const u = state.plot;
    if (!u) return;
    state.marks.replaceChildren();
    const room = state.place.clientWidth - (state.zoom ? state.tools.offsetWidth + 8 : 0);
    let end = -Infinity;
    for (const mark of [...state.chart.marks].sort((a, b) => a.at - b.at)) {
      const left = u.over.offsetLeft + u.valToPos(mark.at, "x");
      if (left < u.over.offsetLeft - 1 || left > u.over.offsetLeft + u.over.clientWidth + 1) continue;
      const link = make("a", `plot-mark plot-mark-${mark.kind}`, mark.word);
      if (mark.to) link.href = mark.to;
      link.title = `${mark.word}, ${stretch(mark.at, mark.at)}`;
      state.marks.append(link);
      const width = link.offsetWidth;
      const at = Math.min(Math.max(left - width / 2, 0), room - width);
      if (at < end + 4 || at + width < left) { link.remove(); continue; } // the list below the plot has all
      link.style.left = `${at}px`;
      end = at + width;
    }
  };

  // The value under the pointer, and for those who use keys or hear it.
  const bandAt = (state, i) => {
    const { chart, plot } = state;
    if (chart.kind === "lines") return null;
    if (state.chosen !== null) return state.chosen;
    const value = plot.posToVal(plot.cursor.top, "y");
    const data = plot.data.slice(1).reverse();
    if (state.byKey || !(value >= 0)) return null;
    const found = data.findIndex((row, at) => row[i] >= value && row[i] > (at ? data[at - 1][i] : 0));
    return found < 0 ? null : found;
  };
  const widthAt = (chart, i) => (chart.widths ? chart.widths[i] : chart.step);
  const linkOf = (state, from, until, band) => {
    const { chart, place } = state;
    if (!(until > from)) return "";
    const which = band === null || band === undefined ? "" : chart.series[band].q;
    const asked = [chart.q, which, `since:${utc(from)}`, `until:${utc(until)}`].filter(Boolean).join(" ");
    const to = place.dataset.to;
    return `${to}${to.includes("?") ? "&" : "?"}q=${encodeURIComponent(asked)}`;
  };
  const rowsAt = (chart, i) => {
    const values = chart.points.slice(1).map((row) => row[i]);
    const sum = chart.kind === "lines" ? 0 : values.reduce((a, b) => a + b, 0);
    const rows = chart.series.map((each, at) => ({ ...each, at, value: values[at] }));
    const text = (n) => (chart.kind === "share" ? `${Math.round((1000 * n) / sum) / 10} % (${n})` : String(Math.round(n * 10) / 10));
    const some = rows.filter((row) => row.value !== null && row.value !== undefined && (chart.kind === "lines" || row.value > 0));
    return { sum, rows: some.reverse().map((row) => ({ ...row, text: text(row.value) })) };
  };
  const point = (state) => {
    const { plot, chart, tip } = state;
    const i = plot ? plot.cursor.idx : null;
    if (i === null || i === undefined || plot.cursor.left < 0) { tip.hidden = true; state.at = null; return; }
    const from = chart.points[0][i];
    const until = from + (widthAt(chart, i) || 0);
    const band = bandAt(state, i);
    const { sum, rows } = rowsAt(chart, i);
    state.at = { i, link: linkOf(state, from, until, band) };
    tip.replaceChildren(make("p", "strong", stretch(from, until)));
    const list = make("dl");
    for (const row of rows) {
      const name = make("dt", row.at === band ? "strong" : "");
      const swatch = make("span", "swatch");
      if (row.ink || row.soft) swatch.style.background = row.ink ? `var(${row.ink})` : "var(--accent-band)";
      name.append(swatch, row.name);
      const value = make("dd", row.at === band ? "strong" : "", row.text);
      value.dataset.value = row.value;
      value.dataset.name = row.name;
      list.append(name, value);
    }
    tip.append(list);
    if (chart.kind !== "lines") {
      const all = make("p", "muted", `${sum} ${chart.unit}`);
      all.dataset.sum = sum;
      tip.append(all);
    }
    for (const mark of chart.marks) {
      if (mark.at >= from && mark.at < Math.max(until, from + 1)) tip.append(make("p", "", `◆ ${mark.word}`));
    }
    if (state.at.link) {
      const link = make("a", "", band === null ? "These streams" : `These: ${chart.series[band].name}`);
      link.href = state.at.link;
      tip.append(link);
    }
    tip.hidden = false;
    const left = plot.over.offsetLeft + plot.cursor.left;
    const onRight = left > state.place.clientWidth / 2;
    tip.style.left = onRight ? "" : `${left + 14}px`;
    tip.style.right = onRight ? `${state.place.clientWidth - left + 14}px` : "";
    if (state.byKey) {
      const told = rows.map((row) => `${row.name} ${row.text}`).join(", ") || "nothing";
      state.said.textContent = `${stretch(from, until)}: ${band === null ? told : `${chart.series[band].name} ${chart.points[band + 1][i]}`}`;
    }
  };

  // Zoom.
  const zoomTo = (state, from, until) => {
    const [low, high] = whole(state);
    const least = (state.chart.step || (high - low) / 200) * 2;
    if (from === null || until - from >= high - low) state.zoom = null;
    else {
      const width = Math.max(until - from, least);
      const at = Math.min(Math.max((from + until - width) / 2, low), high - width);
      state.zoom = [at, at + width];
    }
    state.tools.hidden = !state.zoom;
    state.place.dataset.zoomed = state.zoom ? "yes" : "";
    if (state.zoom) {
      const step = state.chart.step || 1;
      const half = halfOf(state.chart);
      // Whole stretches: those whose middle is seen.
      const first = Math.ceil((state.zoom[0] - half) / step) * step;
      const last = Math.floor((state.zoom[1] - half) / step) * step + step;
      state.shownLink.href = linkOf(state, first, last, null);
    }
    const [x0, x1] = state.zoom || whole(state);
    state.plot.setScale("x", { min: x0, max: x1 });
    placeMarks(state);
  };
  const select = (state, { left, width }) => {
    if (width < 4) return;
    const { plot } = state;
    const [from, until] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoomTo(state, from, until);
  };
  const scaleBy = (state, factor) => {
    const [from, until] = state.zoom || whole(state);
    const i = state.at ? state.at.i : null;
    const middle = i === null ? (from + until) / 2 : state.chart.points[0][i] + halfOf(state.chart);
    const half = ((until - from) * factor) / 2;
    zoomTo(state, middle - half, middle + half);
  };

  // What people do: mouse, fingers, keys.
  const goTo = (link, event) => {
    if (!link) return;
    if (event.ctrlKey || event.metaKey) window.open(link, "_blank", "noopener"); else location.href = link;
  };
  const listen = (state) => {
    const { place, plot } = state;
    const { over } = plot;
    let waiting = 0;
    over.addEventListener("click", (event) => {
      if (state.touched && event.timeStamp - state.touched < 800) return;
      const link = state.at && state.at.link;
      clearTimeout(waiting);
      // Where a second press would undo the zoom, it is waited for.
      if (state.zoom && event.detail === 1) waiting = setTimeout(() => goTo(link, event), 300);
      else if (event.detail <= 1) goTo(link, event);
    });
    over.addEventListener("dblclick", () => { clearTimeout(waiting); zoomTo(state, null); });
    over.addEventListener("mousemove", () => { state.byKey = false; state.chosen = null; });
    let began = null;
    const x = (event) => event.clientX - over.getBoundingClientRect().left;
    over.addEventListener("pointerdown", (event) => { if (event.pointerType !== "mouse") began = x(event); });
    over.addEventListener("pointermove", (event) => {
      if (began === null || Math.abs(x(event) - began) < 8) return;
      plot.setSelect({ left: Math.min(began, x(event)), width: Math.abs(x(event) - began), top: 0, height: over.clientHeight }, false);
    });
    over.addEventListener("pointerup", (event) => {
      if (began === null) return;
      const [left, width] = [Math.min(began, x(event)), Math.abs(x(event) - began)];
      began = null;
      state.touched = event.timeStamp;
      if (width >= 8) { select(state, { left, width }); return; }
      state.byKey = false;
      state.chosen = null;
      plot.setCursor({ left, top: event.clientY - over.getBoundingClientRect().top });
    });
    over.addEventListener("pointercancel", () => { began = null; });
    place.onkeydown = (event) => key(state, event);
  };
  const moveTo = (state, i) => {
    const { plot, chart } = state;
    const last = chart.points[0].length - 1;
    const at = Math.min(Math.max(i, 0), last);
    state.byKey = true;
    plot.setCursor({ left: plot.valToPos(chart.points[0][at] + halfOf(chart), "x"), top: plot.over.clientHeight / 2 });
  };
  const key = (state, event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== state.place) return;
    const { chart } = state;
    const count = chart.points[0].length;
    const i = state.at ? state.at.i : event.key === "ArrowRight" ? -1 : count;
    const series = chart.series.length;
    const acts = {
      ArrowLeft: () => moveTo(state, i - 1),
      ArrowRight: () => moveTo(state, i + 1),
      Home: () => moveTo(state, 0),
      End: () => moveTo(state, count - 1),
      ArrowUp: () => choose(1),
      ArrowDown: () => choose(-1),
      "+": () => scaleBy(state, 0.5),
      "-": () => scaleBy(state, 2),
      "0": () => zoomTo(state, null),
      Escape: () => { state.plot.setCursor({ left: -10, top: -10 }); zoomTo(state, null); },
      Enter: () => goTo(state.at && state.at.link, event),
    };
    // Only the series that have something there; past the last comes all of them again.
    const choose = (by) => {
      if (chart.kind === "lines" || !state.at) return;
      const known = [...Array(series).keys()].filter((at) => chart.points[at + 1][state.at.i]);
      const at = known.indexOf(state.chosen);
      const next = at + by;
      state.chosen = state.chosen === null ? (by > 0 ? known[0] : known[known.length - 1]) ?? null : known[next] ?? null;
      state.byKey = true;
      point(state);
    };
    if (!count || !acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  };

  // Making them, and keeping them as the page is.
  const list = (state) => {
    const place = document.getElementById(state.place.dataset.marks || "");
    if (!place || !state.live) return;
    place.replaceChildren(...state.chart.marks.map((mark) => {
      const item = make("li");
      const link = make("a", "", mark.word);
      if (mark.to) link.href = mark.to;
      item.append(make("span", "nowrap", stretch(mark.at, mark.at)), " ", link);
      return item;
    }));
    place.hidden = !state.chart.marks.length;
  };
  const draw = (place) => {
    let chart;
    try { chart = JSON.parse(place.dataset.chart); } catch { return; }
    const known = states.get(place);
    if (known) {
      known.chart = chart;
      known.live = true;
      known.plot.setData(drawn(chart));
      placeMarks(known);
      list(known);
      if (known.at) point(known);
      return;
    }
    const state = { place, chart, zoom: null, at: null, chosen: null, byKey: false, touched: 0, live: false };
    state.tip = make("div", "plot-tip");
    state.tip.hidden = true;
    state.said = make("p", "unseen");
    state.said.setAttribute("role", "status");
    state.marks = make("div", "plot-marks");
    state.tools = make("div", "plot-tools");
    state.tools.hidden = true;
    state.shownLink = make("a", "btn-quiet", "Streams shown");
    const reset = make("button", "btn-quiet", "Reset zoom");
    reset.type = "button";
    reset.addEventListener("click", () => { zoomTo(state, null); place.focus(); });
    state.tools.append(state.shownLink, reset);
    place.setAttribute("role", "application");
    place.setAttribute("aria-roledescription", "plot");
    place.tabIndex = 0;
    state.plot = new uPlot(options(state), drawn(chart), place);
    place.append(state.marks, state.tools, state.tip, state.said);
    place.addEventListener("mouseleave", () => { if (!state.byKey) { state.tip.hidden = true; state.at = null; } });
    place.addEventListener("focusout", (event) => { if (!place.contains(event.relatedTarget)) { state.tip.hidden = true; state.at = null; state.byKey = false; } });
    states.set(place, state);
    listen(state);
    placeMarks(state);
  };
  const redraw = () => {
    for (const [place, state] of [...states]) {
      const { zoom } = state;
      state.plot.destroy();
      for (const each of [state.marks, state.tools, state.tip, state.said]) each.remove();
      states.delete(place);
      draw(place);
      if (zoom) zoomTo(states.get(place), ...zoom);
    }
  };
  for (const place of document.querySelectorAll("[data-plot]")) {
    draw(place);
    place.addEventListener("plotdata", (event) => { place.dataset.chart = event.detail; draw(place); });
  }
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const state = states.get(target);
      if (state && (state.plot.width !== target.clientWidth || state.plot.height !== target.clientHeight)) {
        state.plot.setSize({ width: target.clientWidth, height: target.clientHeight });
        placeMarks(state);
      }
    }
  });
  for (const place of states.keys()) sizes.observe(place);
})();
