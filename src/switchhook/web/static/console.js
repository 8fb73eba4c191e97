/* What a page does by itself; reading works without it. */
"use strict";
(() => {
  // Forms that the feed brought are the same for all who look; the proof is the page's.
  document.addEventListener("submit", (event) => {
    const proof = event.target.querySelector?.("input[name=csrf]");
    if (proof && !proof.value) proof.value = document.body.dataset.csrf;
  }, true);

  const doc = document.documentElement;
  const cookie = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=strict`;
  };

  // Light and dark.
  const dark = () =>
    doc.dataset.theme ? doc.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const themeSwitch = document.querySelector("[data-theme-switch]");
  if (themeSwitch) {
    const name = () => { themeSwitch.textContent = dark() ? "Light" : "Dark"; };
    themeSwitch.hidden = false;
    name();
    themeSwitch.addEventListener("click", () => {
      doc.dataset.theme = dark() ? "light" : "dark";
      cookie("theme", doc.dataset.theme);
      name();
      document.dispatchEvent(new Event("themechange"));
    });
  }

  // The browser's own zone, which only it knows.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = document.querySelector("[data-local]");
  if (local && zone) {
    local.href = local.href.replace(/([?&]tz=)local\b/, `$1${encodeURIComponent(zone)}`);
    local.hidden = false;
  }

  // The keyboard.
  const help = document.getElementById("help");
  const helpButton = document.querySelector("[data-help]");
  if (helpButton) {
    helpButton.hidden = false;
    helpButton.addEventListener("click", () => help.showModal());
  }
  const links = [...document.querySelectorAll("nav [data-key]")];
  const rows = () => [...document.querySelectorAll("[data-rows] > tr, [data-rows] > li")]
    .filter((row) => row.querySelector("a[href]") && row.offsetParent !== null);
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by, 0), all.length - 1)];
    next.querySelector("a[href]").focus();
    next.scrollIntoView({ block: "nearest" });
  };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.matches("input, textarea, select, [contenteditable]");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (help && help.open) return;
    if (going && event.timeStamp - going < 1500) {
      going = 0;
      const link = links.find((each) => each.dataset.key === event.key);
      if (link) { event.preventDefault(); location.href = link.href; }
      return;
    }
    const search = document.querySelector("[data-search]");
    switch (event.key) {
      case "g": going = event.timeStamp; break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "?": if (help) help.showModal(); break;
      case "/":
        event.preventDefault();
        if (search) { search.focus(); search.select(); } else { location.href = "/streams#search"; }
        break;
      case ".": document.querySelector("[data-pause]")?.click(); break;
    }
  });
  if (location.hash === "#search") document.querySelector("[data-search]")?.focus();

  // Copy a text; open the request that an address points at.
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details")) target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();

  // The page one is on, in sight on a phone.
  const here = document.querySelector("nav [aria-current]");
  if (here) {
    const strip = here.closest("nav");
    strip.scrollLeft = here.offsetLeft - strip.offsetLeft - 40;
  }
})();
