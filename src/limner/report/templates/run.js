// Orders and filters the images. The URL fragment holds both, so that a link keeps them.
const wall = document.querySelector(".wall");
const form = document.querySelector(".controls");
const found = document.querySelector(".found");
const cards = [...wall.children]; // in the order of the file: random

const wordsOf = (text) =>
  text.toLowerCase().replaceAll("’", "'").match(/[\p{L}\p{N}]+(?:['-][\p{L}\p{N}]+)*/gu) ?? [];

const wordsIn = new Map(cards.map((card) => {
  const texts = [...card.querySelectorAll(".caption, details li")];
  return [card, new Set(texts.flatMap((text) => wordsOf(text.textContent)))];
}));

const score = (card) => Number(card.dataset.score);
const orders = {
  random: () => cards,
  best: () => [...cards].sort((a, b) => score(b) - score(a)),
  worst: () => [...cards].sort((a, b) => score(a) - score(b)),
};

function show() {
  const wanted = wordsOf(form.words.value);
  for (const card of cards) {
    card.hidden = !wanted.every((word) => wordsIn.get(card).has(word));
  }
  wall.append(...orders[form.order.value]());
  const count = cards.filter((card) => !card.hidden).length;
  const quoted = wanted.map((word) => `“${word}”`).join(" and ");
  if (!wanted.length) found.textContent = "";
  else if (count) found.textContent = `${count} of ${cards.length} images shown with ${quoted}`;
  else found.textContent = `None of the images shown has ${quoted} in its caption or references`;
}

function keep() {
  const state = new URLSearchParams();
  if (form.order.value !== "random") state.set("order", form.order.value);
  if (form.words.value.trim()) state.set("words", form.words.value.trim());
  history.replaceState(null, "", `#${state.toString() || "images"}`);
}

function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  if (!state.has("order") && !state.has("words")) return; // a link to a section
  const order = state.get("order");
  form.order.value = Object.hasOwn(orders, order) ? order : "random";
  form.words.value = state.get("words") ?? "";
  show();
  document.querySelector("#images").scrollIntoView();
}

form.addEventListener("input", () => { show(); keep(); });
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", restore);
form.hidden = false;
restore();
