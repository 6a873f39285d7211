// What every page of the console shares: keyboard, dialogs, palette, drafts of rows, gentle notices. Pages work without it.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const csrf = () => $('meta[name="csrf"]')?.content ?? "";

/** Ask our own server; resolves to the Response, or null after saying why it could not be had. */
async function ask(url, options = {}) {
  const headers = { "X-CSRF": csrf(), Accept: "application/json, text/html", ...options.headers };
  try {
    const answer = await fetch(url, { credentials: "same-origin", redirect: "follow", ...options, headers });
    if (answer.status === 401) { toast($("#toasts").dataset.signedOut); return null; }
    return answer;
  } catch {
    toast($("#toasts").dataset.away);
    return null;
  }
}

function toast(text) {
  const box = $("#toasts");
  if (!box || !text || [...box.children].some((p) => p.textContent === text)) return;
  const p = document.createElement("p");
  p.textContent = text;
  box.append(p);
  setTimeout(() => p.remove(), 6000);
}

// -- dialogs and dismissals
/** Beside its box; whoever marks words and lets go out there, or hits the edge, does not mean to close it. */
const beside = (dialog, { clientX: x, clientY: y }) => {
  if (dialog.nodeName !== "DIALOG") return false;
  const box = dialog.getBoundingClientRect();
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
};
let pressedBeside = false;
document.addEventListener("pointerdown", (event) => { pressedBeside = beside(event.target, event); });
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener?.dataset.open === "palette") openPalette();
  else if (opener) { const dialog = document.getElementById(opener.dataset.open); dialog?.showModal(); $("[autofocus], input:not([type=hidden]), textarea, select", dialog)?.focus(); }
  const said = event.target.closest("[data-toast]");
  if (said) toast(said.dataset.toast);
  if (event.target.closest("[data-dismiss]")) event.target.closest(".flash").remove();
  if (pressedBeside && beside(event.target, event)) event.target.close();
});

// -- rows that can be added and removed
document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-row-add]");
  if (add) {
    const set = add.closest("[data-rows]");
    const taken = $$("[name]", set).map((e) => Number((e.name.slice(set.dataset.rows.length + 1).match(/^\d+/) ?? [-1])[0]));
    const row = $("template", set).content.cloneNode(true);
    for (const element of row.querySelectorAll("*"))
      for (const name of ["id", "name", "for", "aria-describedby"])
        if (element.hasAttribute(name)) element.setAttribute(name, element.getAttribute(name).replaceAll(`${set.dataset.rows}-#-`, `${set.dataset.rows}-${Math.max(-1, ...taken) + 1}-`));
    add.before(row);
    $("input, select, textarea", add.previousElementSibling)?.focus();
  }
  event.target.closest("[data-row-remove]")?.closest(".row-of-list").remove();
});

// -- a form is sent once
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sending) { event.preventDefault(); return; }
  form.dataset.sending = "1";
  setTimeout(() => delete form.dataset.sending, 5000);
});
addEventListener("pageshow", () => $$("form[data-sending]").forEach((form) => delete form.dataset.sending));

// -- words that stand on this page alone: whoever leaves by another way than those it offers is asked back
const alone = $("[data-alone]");
if (alone) {
  let chosen = false;
  alone.addEventListener("submit", () => { chosen = true; });
  alone.addEventListener("click", (event) => { if (event.target.closest("a")) chosen = true; });
  addEventListener("beforeunload", (event) => { if (!chosen) event.preventDefault(); });
}

// -- keyboard: elements say their own keys with data-key; two letters in a row such as "g i"
const typing = (element) => element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
let first = "";
document.addEventListener("keydown", (event) => {
  if (event.isComposing) return; // the key chooses among Chinese characters
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.target.closest("form")?.requestSubmit(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
  const keys = first ? `${first} ${event.key}` : event.key;
  first = "";
  if (event.key === "?") { $("#help")?.showModal(); return; }
  if (event.key === "/") { const search = $("[data-search]"); if (search) { event.preventDefault(); search.focus(); search.select(); } else openPalette(); return; }
  const target = $(`[data-key="${CSS.escape(keys)}"]`);
  if (target) { event.preventDefault(); target.matches("input, textarea, select") ? target.focus() : target.click(); }
  else if (event.key === "g") { first = "g"; setTimeout(() => { first = ""; }, 1200); }
});

// -- palette: places and commands at once, asked for when it is first opened; complaints and people from the server
let asked = 0, places = null;
async function openPalette() {
  const dialog = $("#palette");
  if (!dialog || dialog.open) return;
  dialog.showModal();
  const input = $("#palette-q");
  input.value = "";
  input.focus();
  places ??= ask("/console/palette").then((answer) => (answer?.ok ? answer.json() : []));
  fill(input.value);
}
async function fill(words) {
  const turn = ++asked;
  const plain = words.toLowerCase().split(/\s+/).filter(Boolean);
  const known = (await places).filter((place) => plain.every((word) => place.words.includes(word)));
  if (turn !== asked) return;
  show(plain.length ? known.slice(0, 6) : known, words.trim().length < 2);
  if (words.trim().length < 2) return;
  const answer = await ask(`/console/palette?q=${encodeURIComponent(words)}`);
  if (answer?.ok && turn === asked) show(await answer.json());
}
let shown = [];
/** `over`: nothing more is looked for, so that nothing may be said not to be there. */
function show(found, over = true) {
  const list = $("#palette-found");
  shown = found;
  list.replaceChildren(...found.map((one, n) => {
    const item = document.createElement("li");
    item.role = "option"; item.id = `found-${n}`; item.dataset.n = n;
    item.setAttribute("aria-selected", String(n === 0));
    const title = document.createElement("span"), about = document.createElement("small");
    title.className = "clamp"; title.textContent = one.title;
    about.textContent = one.about;
    item.append(title, about);
    return item;
  }));
  if (!found.length && over) { const none = document.createElement("li"); none.textContent = list.dataset.nothing; list.append(none); }
  $("#palette-q").setAttribute("aria-activedescendant", found.length ? "found-0" : "");
}
$("#palette-q")?.addEventListener("input", (event) => fill(event.target.value));
$("#palette-q")?.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const items = $$("#palette-found [role=option]");
  const at = items.findIndex((item) => item.ariaSelected === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length];
    items.forEach((item) => item.setAttribute("aria-selected", String(item === next)));
    next?.scrollIntoView({ block: "nearest" });
    event.target.setAttribute("aria-activedescendant", next?.id ?? "");
  } else if (event.key === "Enter" && items[at]) { event.preventDefault(); choose(shown[at]); }
});
$("#palette-found")?.addEventListener("click", (event) => { const item = event.target.closest("[data-n]"); if (item) choose(shown[item.dataset.n]); });
/** Go there; a command is a form of its own. */
function choose(one) {
  if (!one.post) { location.href = one.href; return; }
  const form = document.createElement("form");
  form.method = "post"; form.action = one.href; form.hidden = true;
  for (const [name, value] of Object.entries({ csrf: csrf(), back: location.pathname + location.search, ...one.post })) {
    const field = document.createElement("input");
    field.type = "hidden"; field.name = name; field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

$("[data-focus]:not([data-sample] *)")?.focus();
