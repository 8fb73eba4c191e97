// Runs axe-core, which is in the page, with all of its default rules; gives what it finds. A second
// look at the same page is at what may have changed: "dark" at colours, then "narrow" at all else, and
// at the colours of what is shown, or coloured otherwise, on a narrow window alone.
async (look) => {
  const colours = ["color-contrast", "link-in-text-block"];
  const coloured = () => {
    const shown = [...document.body.querySelectorAll("*")].filter((e) => e.checkVisibility());
    return new Map(shown.map((e) => [e, [getComputedStyle(e).color, getComputedStyle(e).backgroundColor].join()]));
  };
  const run = async (where, options) => {
    const { violations } = await axe.run(where, { resultTypes: ["violations"], ...options });
    return violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  };
  if (look === "light") return run(document, {});
  if (look === "dark") {
    window.colouredOnWide = coloured();
    return run(document, { runOnly: colours });
  }
  const found = await run(document, { rules: Object.fromEntries(colours.map((rule) => [rule, { enabled: false }])) });
  const other = new Set([...coloured()].filter(([e, said]) => window.colouredOnWide.get(e) !== said).map(([e]) => e));
  const include = [...other].filter((e) => !other.has(e.parentElement));
  return include.length ? [...found, ...(await run({ include }, { runOnly: colours }))] : found;
}
