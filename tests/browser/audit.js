// What a screen reader and weak eyes need, looked for in a page; gives what is missing.
() => {
  const problems = [];
  const say = (problem, element) => problems.push(`${problem}: ${element.outerHTML.slice(0, 120)}`);
  const seen = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const named = (e) => (e.getAttribute("aria-label") || e.textContent || "").trim()
    || [...e.querySelectorAll("[aria-label], title")].length
    || (e.getAttribute("aria-labelledby") || "").split(" ").some((id) => document.getElementById(id));

  // Landmarks and headings.
  for (const [selector, count] of [["main", 1], ["h1", 1], ["nav[aria-label]", 1]]) {
    if (document.querySelectorAll(selector).length < count) problems.push(`no ${selector}`);
  }
  if (document.querySelectorAll("h1").length > 1) problems.push("several h1");
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");
  let level = 1;
  for (const heading of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1) say("a heading skips a level", heading);
    level = now;
  }
  // Names.
  for (const e of document.querySelectorAll("a[href], button, [role=img], [role=region], summary")) {
    if (seen(e) && !named(e)) say("nameless", e);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const labelled = e.labels.length || e.getAttribute("aria-label");
    if (!labelled) say("no label", e);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) problems.push(`twice: ${id}`);
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    for (const id of `${e.getAttribute("aria-labelledby") || ""} ${e.getAttribute("aria-describedby") || ""}`.split(/\s+/)) {
      if (id && !document.getElementById(id)) say(`names nothing: ${id}`, e);
    }
  }
  // Tables.
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th")];
    if (!heads.length || heads.some((th) => th.scope !== "col" || !th.textContent.trim())) say("no header", table);
  }
  if (document.querySelector("[style]:not(.uplot *, .plot *)")) {
    say("a style of its own", document.querySelector("[style]:not(.uplot *, .plot *)"));
  }
  // What scrolls can be reached by keys.
  for (const e of document.querySelectorAll(".scroll, .tail, pre.raw")) {
    const scrolls = e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1;
    if (seen(e) && scrolls && e.tabIndex < 0 && !e.querySelector("a, button")) say("out of reach", e);
  }
  // Contrast: AA, 4.5 to 1, or 3 to 1 for large text.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const bright = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(e) || e.closest("script, .unseen, svg, .fresh, dialog:not([open])")) continue;
    const style = getComputedStyle(e);
    const [fore, back] = [bright(rgba(style.color).slice(0, 3)), bright(behind(e))];
    const contrast = (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const what = `${style.color} on ${behind(e)}`;
    if (contrast < (large ? 3 : 4.5) && !told.has(what)) {
      told.add(what);
      say(`contrast ${contrast.toFixed(2)} (${what})`, e);
    }
  }
  return problems;
}
