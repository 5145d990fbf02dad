"use strict";
// All text goes into the page as text (textContent), never as HTML: passages may hold anything.
const at = (id) => document.getElementById(id);
const form = at("form"), question = at("q"), hits = at("hits"), status = at("status"), lock = at("lock");
const chosen = new Set();
let names = new Map();
let running = null;

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function say(sentence, bad = false) {
  status.textContent = sentence;
  status.classList.toggle("bad", bad);
}

function counted(number, one, many) {
  return number.toLocaleString() + " " + (number === 1 ? one : many);
}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: "Bearer " + key }) };
  const answer = await fetch(path, { ...options, headers });
  lock.hidden = answer.status !== 401;
  if (answer.status === 401) at("key").focus();
  const found = await answer.json();
  if (!answer.ok) {
    const fields = (found.error.fields || []).map((one) => one.field + ": " + one.message).join("; ");
    throw new Error(found.error.message + (fields && " " + fields));
  }
  return found;
}

async function showLanguages() {
  const { languages } = await ask("/languages");
  names = new Map(languages.map((one) => [one.code, one.name]));
  languages.sort((a, b) => a.name.localeCompare(b.name));
  const total = languages.reduce((sum, one) => sum + one.passages, 0);
  at("about").textContent =
    `Ask in any language. ${counted(total, "passage", "passages")} in ${counted(languages.length, "language", "languages")}.`;
  const chips = languages.map((one) => {
    const chip = make("button", { type: "button", title: one.name + " (" + one.code + ")" }, one.name);
    chip.append(make("small", { textContent: one.passages.toLocaleString() }));
    chip.setAttribute("aria-pressed", String(chosen.has(one.code)));
    chip.addEventListener("click", () => {
      if (!chosen.delete(one.code)) chosen.add(one.code);
      chip.setAttribute("aria-pressed", String(chosen.has(one.code)));
      search();
    });
    return chip;
  });
  at("chips").replaceChildren(...chips);
}

function conditions() {
  const text = at("where").value.trim();
  const cut = text.indexOf("=");
  if (!text) return {};
  if (cut < 1) throw new Error("Write what the passages' metadata must be as key=value.");
  return { [text.slice(0, cut).trim()]: text.slice(cut + 1).trim() };
}

function card(hit) {
  const name = names.get(hit.language) || hit.language;
  const metadata = Object.entries(hit.metadata).map(([key, value]) => {
    return make("span", { className: "more", dir: "auto" }, key + "=" + (typeof value === "string" ? value : JSON.stringify(value)));
  });
  if (hit.source) metadata.unshift(make("span", { className: "more", dir: "auto" }, hit.source));
  const score = make("span", { className: "score", title: "score" }, hit.score.toFixed(3));
  const weak = hit.weak ? [make("i", { title: "No nearer to the question than chance would have it" }, "weak match")] : [];
  const facts = make("div", { className: "facts" }, make("b", {}, name), ...weak, ...metadata, score);
  const item = make("li", { tabIndex: -1 }, facts);
  if (hit.title) item.append(make("h2", { dir: "auto", lang: hit.language }, hit.title));
  item.append(make("p", { className: "text", dir: "auto", lang: hit.language }, hit.text));
  item.setAttribute("aria-expanded", "false");
  item.addEventListener("click", () => {
    if (!String(getSelection())) expand(item);
  });
  return item;
}

function expand(item) {
  item.setAttribute("aria-expanded", String(item.getAttribute("aria-expanded") !== "true"));
}

async function search() {
  const text = question.value.trim();
  if (running) running.abort();
  if (!text) {
    hits.replaceChildren();
    say("");
    return;
  }
  const mine = (running = new AbortController());
  hits.classList.add("old");
  try {
    const body = JSON.stringify({
      queries: [text], k: Number(at("k").value), languages: [...chosen], where: conditions(),
      balanced: at("balanced").checked ? "scores" : null, hybrid: at("hybrid").checked,
    });
    const found = await ask("/search", { method: "POST", body, signal: mine.signal });
    const list = found.results[0].hits;
    const languages = new Set(list.map((hit) => hit.language)).size;
    hits.replaceChildren(...list.map(card));
    if (list.length) hits.firstChild.tabIndex = 0;
    say(list.length
      ? `${counted(list.length, "passage", "passages")} in ${counted(languages, "language", "languages")}, ${Math.max(1, Math.round(found.seconds * 1000))} ms`
      : "Nothing was found. Take a filter away, or ask in other words.");
    history.replaceState(null, "", "?" + new URLSearchParams({ q: text }));
  } catch (error) {
    if (error.name === "AbortError") return;
    hits.replaceChildren();
    say(error instanceof TypeError ? "The server does not answer." : error.message, true);
  } finally {
    if (running === mine) {
      running = null;
      hits.classList.remove("old");
    }
  }
}

function move(step) {
  const items = [...hits.children];
  const now = items.indexOf(document.activeElement);
  const next = now + step;
  if (next < 0) question.focus();
  else if (next < items.length) {
    for (const item of items) item.tabIndex = -1;
    items[next].tabIndex = 0;
    items[next].focus();
    items[next].scrollIntoView({ block: "nearest" });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = document.activeElement;
  const inResults = here && here.parentElement === hits;
  const typing = here && (here.tagName === "INPUT" || here.tagName === "SELECT");
  if (event.key === "/" && !typing) question.focus();
  else if (event.key === "ArrowDown" && (inResults || here === question)) move(1);
  else if (event.key === "ArrowUp" && inResults) move(-1);
  else if (event.key === "Enter" && inResults) expand(here);
  else if (event.key === "Escape" && inResults) question.focus();
  else if (event.key === "Escape" && here === question) {
    question.value = "";
    search();
  } else return;
  event.preventDefault();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
for (const id of ["balanced", "hybrid", "k", "where"]) at(id).addEventListener("change", search);
lock.addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", at("key").value.trim());
  at("key").value = "";
  start();
});

async function start() {
  try {
    await showLanguages();
    say("");
    question.focus();
    search();
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer." : error.message, true);
  }
}

question.value = new URLSearchParams(location.search).get("q") || "";
start();
