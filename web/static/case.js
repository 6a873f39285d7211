// The complaint page: dialogs, drafts, presence, the letter's checklist. Everything works without it, by links and forms.
"use strict";
{
  const dialog = $("#case-dialog");
  const main = $("#due-form");
  let dirty = false, stopped = false, typed = 0, last = null, asking = null;

  // -- the reference, for the clipboard
  const copy = $("[data-copy]");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => { await navigator.clipboard.writeText(copy.dataset.copy); toast(copy.dataset.copied); });
  }

  // -- forms and explanations in a dialog instead of a page of their own; what was begun in one is there when it comes back
  const begun = new Map();
  let written = false;
  dialog?.addEventListener("input", () => { written = true; });
  dialog?.addEventListener("submit", (event) => { if (event.target.method === "post") written = false; });
  dialog?.addEventListener("close", () => { if (written) begun.set(dialog.dataset.of, [...dialog.childNodes]); written = false; });
  function show(content, kind, of = "") {
    const bar = document.createElement("form");
    bar.method = "dialog";
    const close = document.createElement("button");
    close.className = "quiet"; close.textContent = "✕"; close.ariaLabel = $("#help header button")?.ariaLabel ?? "×";
    bar.append(close);
    const head = document.createElement("header");
    head.append(document.createElement("span"), bar);
    put([head, ...content], kind, of);
  }
  function put(nodes, kind, of) {
    dialog.className = kind;
    dialog.dataset.of = of;
    dialog.replaceChildren(...nodes);
    if (!dialog.open) dialog.showModal();
    ($("[data-focus], textarea, select, input:not([type=hidden])", dialog) ?? $("button", dialog)).focus();
  }
  async function open(link) {
    if (begun.has(link.href)) { put(begun.get(link.href), "", link.href); begun.delete(link.href); written = true; return; }
    const answer = await ask(link.href, { headers: { Accept: "text/html" } });
    if (!answer) return;
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/html")) { toast((await answer.json()).say); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    show([...page.body.childNodes].map((node) => document.adoptNode(node)), "", link.href);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-dialog], [data-preview], [data-close], [data-insert-text]");
    if (!link || !dialog || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.matches("[data-close]")) { if (dialog.open) { event.preventDefault(); written = false; dialog.close(); } return; }
    event.preventDefault();
    if (link.matches("[data-insert-text]")) { insert($("[data-text]", link.closest("article")).textContent); dialog.close(); return; }
    if (link.matches("[data-dialog]")) { asking = link.closest("form"); link.closest("[popover]")?.hidePopover(); open(link); return; }
    const shown = document.createElement(link.dataset.preview === "image" ? "img" : "iframe");
    shown.src = link.href;
    if (shown.nodeName === "IMG") shown.alt = link.dataset.title; else shown.title = link.dataset.title;
    show([shown], "preview");
  });

  // -- canned texts go to where the cursor was last in the form that asked for them
  document.addEventListener("focusin", (event) => { if (event.target.matches("textarea:not(dialog *)")) last = event.target; });
  function insert(text) {
    const into = asking?.contains(last) ? last : $("textarea", asking ?? document);
    if (!into) return;
    into.focus();
    into.setRangeText(text, into.selectionStart, into.selectionEnd, "end");
    into.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // -- the draft is kept every few seconds, and when the page is left
  async function keep() {
    if (!dirty || stopped) return;
    dirty = false;
    const answer = await ask(main.dataset.draft, { method: "POST", body: new FormData(main), headers: { Accept: "application/json" } });
    if (!answer) { dirty = true; return; }
    const told = await answer.json().catch(() => ({ say: $("#toasts").dataset.away }));
    $("#draft-said").textContent = told.say;
    if (answer.ok) main.elements.draft_seen.value = told.seen;
    else if (told.stop) stopped = true;
    else if (answer.status >= 500) dirty = true; // it goes again by and by
  }
  if (main) {
    main.addEventListener("input", () => { dirty = true; typed = Date.now(); });
    main.addEventListener("click", (event) => { if (event.target.closest("[data-row-add], [data-row-remove]")) dirty = true; });
    main.addEventListener("submit", () => { dirty = stopped = false; });
    setInterval(keep, 4000);
    // a page that is loaded anew may be made before the last words have come in: then it is asked for once more
    const late = `late:${main.dataset.draft}`, mark = main.elements.draft_seen;
    addEventListener("pagehide", () => {
      if (!dirty || stopped) return;
      navigator.sendBeacon(main.dataset.draft, new FormData(main));
      sessionStorage.setItem(late, JSON.stringify({ before: mark.value, left: 5 }));
    });
    const awaited = JSON.parse(sessionStorage.getItem(late));
    sessionStorage.removeItem(late);
    if (awaited?.left && awaited.before === mark.getAttribute("value")) setTimeout(() => {
      if (dirty) return;
      sessionStorage.setItem(late, JSON.stringify({ ...awaited, left: awaited.left - 1 }));
      location.replace(location.pathname + location.search); // a plain reload would fill in what stands here now
    }, 150);
    // what is kept nowhere else, or is more than goes out with a page that is left (64 kB), is asked about
    const heavy = () => new Blob([...new FormData(main).values()]).size > 60_000;
    addEventListener("beforeunload", (event) => { if (stopped || (dirty && heavy())) { event.preventDefault(); keep(); } });
    // a link that leads back here must show the last words too
    document.addEventListener("click", async (event) => {
      const link = event.target.closest("a[href]");
      if (!dirty || stopped || !link || link.target || "download" in link.attributes || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      await keep();
      if (!dirty) location.href = link.href;
    });
  }

  // -- a message that is not sent yet outlives the page, in this tab
  const compose = $("#compose");
  if (compose) {
    const key = `compose:${$("[data-case]").dataset.case}`;
    if (sessionStorage.getItem(`${key}:sent`) && $(".flash.good")) sessionStorage.removeItem(key);
    sessionStorage.removeItem(`${key}:sent`);
    compose.value ||= sessionStorage.getItem(key) ?? "";
    compose.addEventListener("input", () => sessionStorage.setItem(key, compose.value));
    compose.form.addEventListener("submit", () => sessionStorage.setItem(`${key}:sent`, "yes"));
  }

  // -- a file that is too large is told before it travels
  $("#files-in")?.addEventListener("change", ({ target }) => {
    const large = [...target.files].filter((file) => file.size > Number(target.dataset.bytes)).map((file) => file.name);
    target.setCustomValidity(large.length ? `${large.join(", ")}: ${target.dataset.large}` : "");
    target.reportValidity();
  });

  // -- the letter is checked while it is written
  if (main?.dataset.letter) {
    let timer = 0, turn = 0;
    main.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const mine = ++turn;
        const answer = await ask(main.dataset.letter, { method: "POST", body: new FormData(main) });
        if (!answer?.ok || mine !== turn) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of [".gate", ".letter-preview"]) $(part, main).replaceWith(document.adoptNode(page.querySelector(part)));
      }, 600);
    });
  }

  // -- who else is here, and whether something has happened
  const here = $("#here");
  async function tell() {
    if (document.hidden) return;
    const body = new URLSearchParams({ writing: Date.now() - typed < 20000 ? "yes" : "no" });
    const answer = await ask(here.dataset.presence, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer?.ok) return;
    const told = await answer.json();
    const page = new DOMParser().parseFromString(told.here, "text/html");
    here.replaceChildren(...[...page.body.childNodes].map((node) => document.adoptNode(node)));
    $("#changed").hidden = told.seen <= Number(here.dataset.seen);
  }
  if (here) {
    compose?.addEventListener("input", () => { typed = Date.now(); });
    setInterval(tell, 10000);
    tell();
    document.addEventListener("visibilitychange", tell);
    addEventListener("pagehide", () => navigator.sendBeacon(here.dataset.presence, new URLSearchParams({ gone: "yes", csrf: csrf() })));
  }

  // -- keys of this page: f the form that is due, e the letter
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const letter = $('textarea[name="body"]', main ?? document);
    if (event.key === "e" && letter) { event.preventDefault(); letter.focus(); }
    if (event.key === "f" && main) { event.preventDefault(); $("input:not([type=hidden]), select, textarea", main)?.focus(); }
  });
}
