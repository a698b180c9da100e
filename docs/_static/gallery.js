// Finds activations: by words, and by what is true of them.
"use strict";

const finder = document.querySelector(".finder");
const search = finder.querySelector("input");
const filters = [...finder.querySelectorAll("select")];
const cards = [...document.querySelectorAll(".activation")];
const plain = text => text.toLowerCase().replaceAll("_", "");

function find() {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  let count = 0;
  for (const card of cards) {
    const text = plain(card.dataset.search);
    const found = words.every(word => text.includes(word)) &&
      filters.every(({ value, dataset }) => !value || card.dataset[dataset.filter] === value);
    card.hidden = !found;
    count += found;
  }
  finder.querySelector("output").textContent = `${count} of ${cards.length}`;
}

search.addEventListener("input", find);
filters.forEach(filter => filter.addEventListener("change", find));
search.value = new URLSearchParams(location.search).get("q") || "";
find();
