// What axe-core can't see of a page's making; gives what is wrong.
() => {
  const problems = [];
  const say = (problem, element) => problems.push(`${problem}: ${element.outerHTML.slice(0, 120)}`);
  if (document.querySelectorAll("h1").length > 1) problems.push("several h1");
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th")];
    if (!heads.length || heads.some((th) => th.scope !== "col" || !th.textContent.trim())) say("no header", table);
  }
  for (const e of document.querySelectorAll("[style]:not(.uplot *, .plot *)")) say("a style of its own", e);
  // What scrolls on a narrower window can be reached by keys there, too.
  for (const e of document.querySelectorAll(".scroll, .tail, pre.raw")) {
    if (e.tabIndex < 0 && !e.closest("summary")) say("out of reach", e);
  }
  return problems;
}
