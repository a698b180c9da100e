// Finds activations and pages: by words, and by what is true of them; and puts them in order.
"use strict";

const finder = document.querySelector(".finder");
const search = finder.querySelector("input");
const order = finder.querySelector(".order select");
const filters = [...finder.querySelectorAll(".filters select")];
const cards = [...document.querySelectorAll(".activation")]; // as written: by use
const pages = [...finder.querySelectorAll(".pages li")];
const plain = text => text.toLowerCase().replaceAll("_", "");
const PREFIX = /\b(?:jax\.nn|torch\.nn\.functional|torch\.nn|flax\.linen|keras\.activations|nnx|nn|f)\./g;

const nameOf = card => card.querySelector("b").textContent;
const ORDERS = {
  name: (a, b) => nameOf(a) < nameOf(b) ? -1 : 1,
  family: (a, b) => a.dataset.family.localeCompare(b.dataset.family) || ORDERS.name(a, b),
};

// How well names, or a title, answer: all of a name, its beginning, a part of it, or not at all.
function score(text, query) {
  const names = plain(text).split(/\s+/);
  if (names.includes(query)) return 3;
  return names.some(name => name.startsWith(query)) ? 2 : plain(text).includes(query) ? 1 : 0;
}

function find() {
  const query = plain(search.value).replace(PREFIX, "").trim();
  const words = query.split(/\s+/).filter(Boolean);
  const has = element => words.every(word => plain(element.dataset.search).includes(word));
  let count = 0;
  for (const card of cards) {
    const found = has(card) &&
      filters.every(({ value, dataset }) => !value || card.dataset[dataset.filter] === value);
    card.hidden = !found;
    count += found;
  }
  const best = text => words.length ? score(text, query) : 0;
  const sorted = order.value ? [...cards].sort(ORDERS[order.value]) : [...cards];
  sorted.sort((a, b) => best(b.dataset.names) - best(a.dataset.names));
  document.querySelector(".cards").append(...sorted);

  const answers = words.length ? pages.filter(has) : [];
  answers.sort((a, b) => best(b.textContent) - best(a.textContent));
  pages.forEach(page => page.hidden = true);
  answers.slice(0, 6).forEach(page => page.hidden = false);
  const list = finder.querySelector(".pages");
  list.append(...answers);
  list.hidden = !answers.length;
  finder.querySelector("output").textContent = `${count} of ${cards.length} functions`;
}

search.addEventListener("input", find);
[order, ...filters].forEach(select => select.addEventListener("change", find));
search.value = new URLSearchParams(location.search).get("q") || "";
find();
