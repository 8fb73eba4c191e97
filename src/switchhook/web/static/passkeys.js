/* Makes and uses passkeys; codes work without it. */
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const credentials = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  const make = async (options) => {
    const made = await navigator.credentials.create({ publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: credentials(options.excludeCredentials),
    } });
    return [made, { attestationObject: text(made.response.attestationObject) }];
  };
  const use = async (options) => {
    const used = await navigator.credentials.get({ publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: credentials(options.allowCredentials),
    } });
    return [used, {
      authenticatorData: text(used.response.authenticatorData),
      signature: text(used.response.signature),
    }];
  };
  const WHY = {
    InvalidStateError: "This device has a passkey here already.",
    NotAllowedError: "The browser says that it was not allowed, or took too long.",
    SecurityError: "The browser makes no passkeys at this address.",
  };

  for (const form of document.querySelectorAll("[data-passkey-make], [data-passkey-use]")) {
    const go = form.querySelector("[data-passkey-go]");
    const field = form.querySelector("input[name$=passkey]");
    const problem = form.querySelector("[data-passkey-problem]");
    const code = form.querySelector("input[name$=code]");
    const say = (words) => { problem.textContent = words; problem.hidden = !words; };
    if (!window.PublicKeyCredential) {
      say("This browser has no passkeys.");
      continue;
    }
    const making = form.dataset.passkeyMake;
    const options = JSON.parse(making || form.dataset.passkeyUse);
    go.hidden = false;
    if (document.activeElement === document.body) go.focus();
    const begin = async () => {
      if (go.disabled) return;
      if (code) code.required = false;
      const complete = form.reportValidity();
      if (code) code.required = true;
      if (!complete) return;
      say("");
      go.disabled = true;
      try {
        const [credential, response] = await (making ? make : use)(options);
        field.value = JSON.stringify({
          id: credential.id,
          rawId: text(credential.rawId),
          type: credential.type,
          response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
        });
        form.submit();
      } catch (error) {
        go.disabled = false;
        say(WHY[error.name] || `The browser could not: ${error.name}.`);
      }
    };
    go.addEventListener("click", begin);
    // With a name typed, the key Enter means the button.
    if (making) form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });
  }
})();
