// Draws every chart. The checkboxes switch mechanisms on and off in all of them.
const charts = [...document.querySelectorAll(".chart")];
const boxes = [...document.querySelectorAll("input[data-attention]")];
const views = [];

function shown() {
  return boxes.filter((box) => box.checked).map((box) => box.dataset.attention);
}

for (const place of charts) {
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  const drawn = await window.vegaEmbed(place, spec, { renderer: "svg", actions: false });
  views.push(drawn.view);
}
for (const box of boxes) {
  box.addEventListener("change", () => views.forEach((view) => view.signal("shown", shown()).runAsync()));
}
document.documentElement.dataset.drawn = String(views.length);
