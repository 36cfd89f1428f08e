"use strict";
// Moves both grids; without it the page shows the last pictures and no slider.
const slider = document.getElementById("moment");
if (slider) {
  const stops = JSON.parse(slider.dataset.stops);
  const output = document.getElementById("moment-shown");
  const show = () => {
    const stop = stops[Number(slider.value)];
    for (const side of ["a", "b"]) {
      document.querySelectorAll(`#grid-${side} figure`).forEach((figure, index) => {
        figure.hidden = index !== stop[side];
      });
    }
    output.textContent = stop.label;
    slider.setAttribute("aria-valuetext", stop.label);
  };
  slider.addEventListener("input", show);
  document.getElementById("slider").hidden = false;
  slider.value = slider.max;
  show();
}
