// Makes the portal nicer where scripts run; every page works without. Texts come from the page, in its language.
"use strict";

const PREFIX = "draft:";

/** What somebody fills in. */
function fieldsOf(form) {
  return [...form.elements].filter((e) => e.name && !["hidden", "file", "submit"].includes(e.type) && e.name !== "website");
}

const picked = (e) => ["radio", "checkbox"].includes(e.type);
const filled = (e) => (picked(e) ? e.checked : e.value);

function typed(fields) {
  const kept = {};
  for (const e of fields.filter(filled)) (kept[e.name] ??= []).push(e.value);
  return kept;
}

function refill(fields, kept) {
  for (const e of fields) {
    const values = kept[e.name];
    if (!values) continue;
    if (picked(e)) e.checked = values.includes(e.value);
    else e.value ||= values[0];
  }
}

/** Keep what is typed on this device until it is sent. */
function draft(form) {
  const key = PREFIX + form.dataset.draft;
  const note = document.querySelector("[data-draft-note]");
  const fields = fieldsOf(form);
  const stored = read(key);
  if (stored && fields.every((e) => e.name === "product" || !filled(e))) {
    refill(fields, stored);
    for (const d of form.querySelectorAll("details")) d.open ||= [...d.querySelectorAll("input")].some((e) => e.checked);
  }
  const show = () => { if (note) note.hidden = !read(key); };
  form.addEventListener("input", () => { write(key, typed(fields)); show(); });
  document.querySelector("[data-draft-clear]")?.addEventListener("click", () => {
    write(key, null);
    for (const e of fields) {
      if (["radio", "checkbox"].includes(e.type)) e.checked = false;
      else e.value = "";
    }
    show();
    fields[0].focus();
  });
  show();
}

function read(key, storage = "localStorage") {
  try { return JSON.parse(window[storage].getItem(key)); } catch { return null; } // storage may be forbidden
}

function write(key, value, storage = "localStorage") {
  try {
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch { /* storage may be full or forbidden: then there is no draft */ }
}

/** In the other language stands what was typed in this one. */
function crossing(link) {
  const key = `crossing:${location.pathname}`;
  const forms = [...document.querySelectorAll("form[method=post]:not([data-draft])")];
  const name = (form) => [...form.querySelectorAll("input[type=hidden]:not([name=slip])")].map((e) => e.value).join();
  const kept = read(key, "sessionStorage") ?? {};
  write(key, null, "sessionStorage");
  for (const form of forms.filter((one) => kept[name(one)])) {
    refill(fieldsOf(form), kept[name(form)]);
    for (let d = form.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  }
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // into another tab: it stays here, and is sent from here
    const all = forms.map((form) => [name(form), typed(fieldsOf(form))]).filter(([, said]) => Object.keys(said).length);
    if (all.length) write(key, Object.fromEntries(all), "sessionStorage");
  });
}

/** A second press sends nothing; files show how far they are. */
function sending(form) {
  let release = null;
  const chosen = form.querySelector("input[type=file]");
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (release) { event.preventDefault(); return; }
    const leaves = button && ("plain" in button.dataset || button.value === "edit");
    const words = button?.textContent;
    release = () => {
      release = null;
      button?.removeAttribute("aria-disabled");
      if (button) button.textContent = words;
      if (chosen) chosen.disabled = false;
    };
    if (leaves && chosen?.files.length) { // the next page cannot have them: it says so, and they need not travel
      form.elements.lost.value = "1";
      chosen.disabled = true;
    }
    if (button && !leaves) {
      button.setAttribute("aria-disabled", "true");
      if (form.dataset.sending) button.textContent = form.dataset.sending;
    }
    if ("upload" in form.dataset && !leaves && chosen?.files.length) {
      event.preventDefault();
      upload(form, button, chosen, release);
    } else {
      setTimeout(() => release?.(), 8000); // the line may be down: then one may press again
    }
  });
  addEventListener("pageshow", (event) => { if (event.persisted) release?.(); });
}

function upload(form, button, chosen, release) {
  const bar = form.querySelector("progress");
  const body = new FormData(form, button);
  const request = new XMLHttpRequest();
  if (bar) bar.hidden = false;
  request.upload.onprogress = (event) => { if (bar && event.lengthComputable) bar.value = (100 * event.loaded) / event.total; };
  /** The line is down, or the server: everything stands here still, the files too, to be sent again. */
  const broken = () => {
    if (bar) bar.hidden = true;
    release();
    form.querySelector(".broken")?.remove();
    const said = Object.assign(document.createElement("p"), { className: "error broken", textContent: form.dataset.broken });
    said.setAttribute("role", "alert");
    button.before(said);
  };
  request.onload = () => {
    if (request.status >= 500 || request.status === 413) { broken(); return; }
    if (request.responseURL && request.responseURL !== new URL(form.action, location).href) { location.assign(request.responseURL); return; }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    document.title = page.title;
    document.body.replaceWith(document.adoptNode(page.body));
    const again = document.getElementById(chosen.id); // gone where the case has moved on
    if (again) again.files = chosen.files;
    for (const lost of document.querySelectorAll("[data-lost]")) lost.remove();
    begin();
  };
  request.onerror = broken;
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.send(body);
}

/** Files are gathered over several picks, each can be taken away again; what the server would say is said at once. */
function files(input) {
  const { most, bytes, large, many, remove } = input.dataset;
  const list = Object.assign(document.createElement("ul"), { className: "picked" });
  input.after(list);
  let kept = [];

  function keep(chosen) {
    kept = chosen;
    const carrier = new DataTransfer();
    kept.forEach((file) => carrier.items.add(file));
    input.files = carrier.files;
    list.replaceChildren(...kept.map(row));
  }
  function row(file) {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: remove });
    button.setAttribute("aria-label", `${remove} ${file.name}`);
    button.addEventListener("click", () => { keep(kept.filter((other) => other !== file)); say([]); input.focus(); });
    item.append(Object.assign(document.createElement("span"), { textContent: file.name }), button);
    return item;
  }
  /** In the place of whatever was said about files chosen before, here or by the server. */
  function say(wrong) {
    for (const id of [`${input.id}-early`, `${input.id}-error`]) document.getElementById(id)?.remove();
    input.removeAttribute("aria-invalid");
    input.setAttribute("aria-describedby", `${input.id}-hint`);
    input.closest(".field").classList.remove("bad");
    document.querySelector(`#summary a[href="#${input.id}"]`)?.closest("li").remove();
    const summary = document.getElementById("summary");
    if (summary?.matches(".summary") && !summary.querySelector("li")) summary.remove();
    if (!wrong.length) return;
    const said = Object.assign(document.createElement("p"), { id: `${input.id}-early`, className: "error", textContent: wrong.join("\n") });
    said.setAttribute("role", "alert");
    input.before(said);
  }
  const same = (a) => (b) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
  input.addEventListener("change", () => {
    const picked = [...input.files].filter((file) => !kept.some(same(file)));
    const fits = picked.filter((file) => file.size <= Number(bytes));
    const wrong = picked.filter((file) => !fits.includes(file)).map((file) => `“${file.name}” ${large}`);
    const all = [...kept, ...fits];
    if (all.length > Number(most)) wrong.unshift(many);
    keep(all.slice(0, Number(most)));
    say(wrong);
  });
  keep([...input.files]); // what a refused sending or a reload left chosen
}

function copying(button) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = button.dataset.copied;
    } catch { field.select(); } // not allowed, as in a frame on another site: it is marked, to be copied by hand
  });
}

function begin() {
  for (const done of document.querySelectorAll("[data-draft-done]")) write(PREFIX + done.dataset.draftDone, null);
  document.querySelectorAll("form[data-draft]").forEach(draft);
  document.querySelectorAll("form[method=post]").forEach(sending);
  document.querySelectorAll("input[type=file]").forEach(files);
  document.querySelectorAll("[data-copy]").forEach(copying);
  document.querySelectorAll("a.language").forEach(crossing);
  document.getElementById("summary")?.focus();
  if (location.search.startsWith("?done=")) history.replaceState(null, "", location.pathname); // a reload says it no more
}

begin();
