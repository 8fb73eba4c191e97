// How a page is laid out, by what is seen of it; gives what is wrong.
() => {
  const problems = [];
  const say = (problem, element) => problems.push(`${problem}: ${element.outerHTML.slice(0, 140)}`);
  const seen = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) problems.push(`${document.documentElement.scrollWidth} px wide`);

  // What is seen of a rectangle inside everything that cuts or scrolls.
  const cut = (rect, e) => {
    let { left, top, right, bottom } = rect;
    for (; e && e !== document.documentElement; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = e.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return { left, top, right, bottom, width: right - left, height: bottom - top };
  };
  // Every piece of text, a line of it at a time, in the order of reading.
  const pieces = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const e = node.parentElement;
    if (!node.data.trim() || !seen(e) || e.closest("script, .unseen, .skip, noscript, .u-legend, dialog:not([open])")) continue;
    const range = document.createRange();
    const begin = node.data.search(/\S/);
    range.setStart(node, begin);
    range.setEnd(node, node.data.trimEnd().length);
    const rects = [...range.getClientRects()].map((rect) => cut(rect, e)).filter((rect) => rect.width > 1 && rect.height > 1);
    rects.forEach((rect, at) => pieces.push({ node, e, rect, first: at === 0, last: at === rects.length - 1, text: node.data.trim(), blank: [begin > 0, node.data.trimEnd().length < node.data.length] }));
  }
  const word = /[\p{L}\p{N}]/u;
  pieces.forEach((one, at) => {
    const next = pieces[at + 1];
    if (next && one.node !== next.node && one.last && next.first) {
      const line = Math.min(one.rect.bottom, next.rect.bottom) - Math.max(one.rect.top, next.rect.top);
      const gap = next.rect.left - one.rect.right;
      if (line > 4 && gap > -2 && gap < 2.5 && word.test(one.text.slice(-1)) && word.test(next.text[0]) && !one.e.closest(".ctl") && !next.e.closest(".ctl")) {
        problems.push(`run together: ${one.text.slice(-30)}|${next.text.slice(0, 30)}`);
      }
    }
    for (const other of pieces.slice(at + 1, at + 30)) {
      if (other.node === one.node) continue;
      const across = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const down = Math.min(one.rect.bottom, other.rect.bottom) - Math.max(one.rect.top, other.rect.top);
      if (across > 2 && down > 6) problems.push(`one over the other: ${one.text.slice(0, 30)}|${other.text.slice(0, 30)}`);
    }
  });

  // Boxes: what is in them, against how much room they take.
  const shown = [...pieces.map(({ rect }) => rect)];
  for (const e of document.querySelectorAll("svg, canvas, img, input:not([type=hidden]), select, textarea, button, .btn, .plot")) {
    if (seen(e)) shown.push(e.getBoundingClientRect());
  }
  for (const box of document.querySelectorAll(".card, .pairs > *, .grid > *, .now > *, .cards > *")) {
    if (!seen(box)) continue;
    const room = box.getBoundingClientRect();
    if (!room.height) continue;
    const inside = shown.filter((rect) => rect.left >= room.left - 1 && rect.right <= room.right + 1 && rect.top >= room.top - 1 && rect.bottom <= room.bottom + 1);
    if (!inside.length) { say("nothing in it", box); continue; }
    const low = Math.max(...inside.map((rect) => rect.bottom));
    const far = Math.max(...inside.map((rect) => rect.right));
    const left = room.bottom - low;
    if (left > 120 && left > room.height * 0.4) say(`${Math.round(left)} of ${Math.round(room.height)} px empty below`, box);
    const aside = room.right - far;
    if (room.width > 700 && aside > room.width * 0.55) say(`${Math.round(aside)} of ${Math.round(room.width)} px empty beside`, box);
  }
  return [...new Set(problems)];
}
