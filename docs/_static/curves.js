// Redraws curves as sliders move, from the functions that activations.js holds, and compares two.
"use strict";

// What formulas call by a name that Math does not have.
const m = {
  erfc(u) {
    if (u < 0) return 2 - m.erfc(-u);
    if (u < 2.5) {
      let term = u, sum = u;
      for (let n = 1; n < 60; n++) sum += (term *= -u * u / n) / (2 * n + 1);
      return 1 - 2 / Math.sqrt(Math.PI) * sum;
    }
    let fraction = u;
    for (let n = 60; n > 0; n--) fraction = u + n / 2 / fraction;
    return Math.exp(-u * u) / Math.sqrt(Math.PI) / fraction;
  },
  erf: u => 1 - m.erfc(u),
  Phi: u => m.erfc(-u / Math.SQRT2) / 2,
  phi: u => Math.exp(-u * u / 2) / Math.sqrt(2 * Math.PI),
  sech: u => 1 / Math.cosh(u),
  sigmoid: u => 1 / (1 + Math.exp(-u)),
  softplus: u => Math.max(u, 0) + Math.log1p(Math.exp(-Math.abs(u))),
  log_cosh: u => Math.abs(u) + Math.log1p(Math.exp(-2 * Math.abs(u))) - Math.LN2,
};

const ORDERS = ["value", "slope", "curvature"];
const WIDTH = 640, HEIGHT = 400, POINTS = 801;

function path(f, parameters, [reach, low, high], [lowest, highest]) {
  let commands = "", pen = "M", last = 0;
  for (let i = 0; i < POINTS; i++) {
    const x = reach * (2 * i / (POINTS - 1) - 1);
    const inside = (lowest === null || x > lowest) && (highest === null || x < highest);
    const y = inside ? (high - f(x, parameters)) / (high - low) * HEIGHT : NaN;
    if (!Number.isFinite(y) || Math.abs(y) > 40 * HEIGHT) { pen = "M"; continue; }
    if (pen === "L" && Math.abs(y - last) > 0.06 * HEIGHT) pen = "M";
    commands += `${pen}${(i / (POINTS - 1) * WIDTH).toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    last = y;
  }
  return commands;
}

function redraw(plot, activation, parameters, view = activation.window) {
  activation.orders.forEach((f, i) => plot.querySelector(`svg svg .${ORDERS[i]}`)
    .setAttribute("d", path(f, parameters, view, activation.domain)));
}

function typical(activation) {
  const each = Object.entries(activation.parameters);
  return Object.fromEntries(each.map(([name, [, , value]]) => [name, value]));
}

function addSliders(place, activation, changed) {
  const parameters = typical(activation);
  place.replaceChildren();
  for (const [name, [low, high, value]] of Object.entries(activation.parameters)) {
    if (low === high) continue;
    const label = document.createElement("label");
    const output = document.createElement("output");
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: low, max: high, step: "any", value, name });
    output.textContent = value.toPrecision(3);
    input.addEventListener("input", () => {
      parameters[name] = Number(input.value);
      output.textContent = parameters[name].toPrecision(3);
      changed(parameters);
    });
    const title = document.createElement("code");
    title.textContent = name;
    label.append(title, input, output);
    place.append(label);
  }
  if (place.children.length) {
    const reset = document.createElement("button");
    reset.textContent = "reset";
    reset.addEventListener("click", () => {
      addSliders(place, activation, changed);
      changed(typical(activation));
    });
    place.append(reset);
  }
}

for (const plot of document.querySelectorAll(".plot[data-activation]")) {
  const activation = activations[plot.dataset.activation];
  addSliders(plot.querySelector(".sliders"), activation,
    parameters => redraw(plot, activation, parameters));
}

// --- Two side by side ----------------------------------------------------------------------------

function axes([reach, low, high]) {
  let lines = "", labels = "";
  const step = span => [0.1, 0.2, 0.5, 1, 2, 5].find(s => span / s <= 11) || 10;
  const every = (from, to, draw) => {
    const s = step(to - from);
    for (let i = Math.ceil(from / s); i * s <= to; i++) draw(Number((i * s).toFixed(6)));
  };
  every(-reach, reach, x => {
    const at = (x + reach) / (2 * reach) * WIDTH;
    lines += `M${at} 0V${HEIGHT}`;
    labels += `<text x="${at}" y="${HEIGHT + 18}" text-anchor="middle">${x}</text>`;
  });
  every(low, high, y => {
    const at = (high - y) / (high - low) * HEIGHT;
    lines += `M0 ${at}H${WIDTH}`;
    labels += `<text x="-8" y="${at + 4}" text-anchor="end">${y}</text>`;
  });
  const zero = high / (high - low) * HEIGHT;
  return `<path class="grid" d="${lines}"/>` +
    `<path class="axis" d="M0 ${zero}H${WIDTH}M${WIDTH / 2} 0V${HEIGHT}"/>${labels}`;
}

const compare = document.querySelector(".compare");
if (compare) {
  const drawable = Object.keys(activations).filter(name => activations[name].orders.length);
  const sides = [...compare.querySelectorAll(".side")];
  const select = side => side.querySelector("select");
  const choices = decodeURIComponent(location.hash.slice(1)).split(",");
  const first = drawable.includes(choices[0]) ? choices[0] : "gelu";
  const second = drawable.includes(choices[1]) ? choices[1] : first === "relu" ? "gelu" : "relu";

  const show = () => {
    const names = sides.map(side => select(side).value);
    const [a, b] = names.map(name => activations[name].window);
    const view = [Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2])];
    sides.forEach((side, i) => {
      const activation = activations[names[i]], plot = side.querySelector(".plot");
      const curves = [...ORDERS].reverse().map(order => `<path class="${order}"/>`).join("");
      plot.innerHTML = `<svg class="curves" viewBox="-28 -8 676 436" role="img">${axes(view)}` +
        `<svg width="${WIDTH}" height="${HEIGHT}">${curves}</svg></svg>` +
        '<div class="legend"><span class="value">value</span><span class="slope">slope</span>' +
        '<span class="curvature">curvature</span></div><div class="sliders"></div>';
      redraw(plot, activation, typical(activation), view);
      addSliders(plot.querySelector(".sliders"), activation,
        parameters => redraw(plot, activation, parameters, view));
    });
    const rows = Object.keys(activations[names[0]].facts).map(fact => "<tr><th>" + fact + "</th>" +
      names.map(name => `<td>${activations[name].facts[fact]}</td>`).join("") + "</tr>");
    const heads = names.map(name => `<th><a href="${name}.html">${name}</a></th>`).join("");
    document.querySelector(".comparison").innerHTML =
      `<table class="table"><thead><tr><th></th>${heads}</tr></thead>` +
      `<tbody>${rows.join("")}</tbody></table>`;
    history.replaceState(null, "", `#${names.join(",")}`);
  };
  [first, second].forEach((name, i) => {
    select(sides[i]).append(...drawable.map(n => new Option(n, n, n === name, n === name)));
    select(sides[i]).addEventListener("change", show);
  });
  show();
}
