/* The page of the API: asks an address as its form says, and shows what it answers. */
"use strict";
(() => {
  const page = document.querySelector("[data-api]");
  if (!page) return;
  const LONGEST = 200000;
  const token = document.getElementById("api-token");
  for (const each of document.querySelectorAll("[data-needs-script]")) each.hidden = false;

  const addressOf = (form) => {
    let path = form.dataset.path;
    const query = new URLSearchParams();
    for (const field of form.querySelectorAll("[data-place]")) {
      if (!field.value) continue;
      if (field.dataset.place === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
      else query.append(field.name, field.value);
    }
    return query.size ? `${path}?${query}` : path;
  };
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const command = (method, address, body) => [
    "curl -H 'Authorization: Bearer shk_…'",
    method === "GET" ? "" : `-X ${method}`,
    body ? `-H 'Content-Type: application/json' -d ${quoted(body)}` : "",
    quoted(location.origin + address),
  ].filter(Boolean).join(" ");
  const size = (bytes) => bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`;
  const shown = (text, type) => {
    let whole = text;
    if (type === "application/json") {
      // A number of more digits than JavaScript has would change: then it stays as it came.
      if (!/[:[,]\s*-?\d{17}/.test(text)) whole = JSON.stringify(JSON.parse(text), null, 2);
    }
    return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}\n…` : whole;
  };

  const ask = async (form) => {
    const method = form.dataset.try;
    const body = form.querySelector("[data-body]")?.value;
    const address = addressOf(form);
    const headers = { Accept: "*/*" };
    if (body) headers["Content-Type"] = "application/json";
    const asked = { method, headers, body, redirect: "error" };
    if (token.value) {
      headers.Authorization = `Bearer ${token.value.trim()}`;
      asked.credentials = "omit";
    } else if (method !== "GET") {
      headers["X-CSRF-Token"] = page.dataset.csrf;
    }
    const call = form.closest("details");
    const [said, answer, curl] = ["said", "answer", "curl"].map((each) => call.querySelector(`[data-${each}]`));
    curl.textContent = command(method, address, body);
    curl.parentElement.hidden = false;
    said.textContent = "Asking …";
    const begun = performance.now();
    try {
      const reply = await fetch(address, asked);
      const bytes = await reply.arrayBuffer();
      const type = (reply.headers.get("content-type") || "").split(";")[0];
      const readable = /^(application\/(json|x-ndjson)|text\/.*)$/.test(type);
      said.textContent = `${reply.status} ${reply.statusText}, ${Math.round(performance.now() - begun)} ms`
        + (bytes.byteLength ? `, ${size(bytes.byteLength)} of ${type}` : "");
      answer.textContent = readable ? shown(new TextDecoder().decode(bytes), type) : "";
      if (bytes.byteLength && !readable) said.textContent += ": open the address itself to keep it.";
      answer.hidden = !answer.textContent;
    } catch (error) {
      said.textContent = `No answer: ${error.message}`;
      answer.hidden = true;
    }
  };

  for (const form of page.querySelectorAll("[data-try]")) {
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!button || button.disabled) return;
      button.disabled = true;
      await ask(form);
      button.disabled = false;
    });
  }
})();
