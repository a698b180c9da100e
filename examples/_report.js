// Pressing the name of an activation brings it out in every chart; pressing it again lets it go.
const buttons = [...document.querySelectorAll("nav button")];

function refresh() {
  const pressed = buttons
    .filter((button) => button.getAttribute("aria-pressed") === "true")
    .map((button) => button.dataset.activation);
  for (const mark of document.querySelectorAll("main [data-activation]")) {
    mark.classList.toggle("faded", pressed.length > 0 && !pressed.includes(mark.dataset.activation));
  }
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    refresh();
  });
}
