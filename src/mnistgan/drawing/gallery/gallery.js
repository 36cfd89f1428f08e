"use strict";
// Shows every training at the same share of its pictures; without it the page shows the last and no slider.
const slider = document.getElementById("moment");
if (Number(slider.max) > 0) {
  const output = document.getElementById("moment-shown");
  const show = () => {
    const share = Number(slider.value) / Number(slider.max);
    document.querySelectorAll(".frames").forEach((frames) => {
      const epochs = frames.dataset.epochs.split(",");
      const index = Math.round(share * (epochs.length - 1));
      frames.style.backgroundPositionY = epochs.length > 1 ? `${(100 * index) / (epochs.length - 1)}%` : "0";
      frames.setAttribute("aria-label", `Samples of ${frames.dataset.name}, epoch ${epochs[index]}`);
      frames.nextElementSibling.firstElementChild.textContent = epochs[index];
    });
    const said = share === 1 ? "the end" : share === 0 ? "before training" : `${Math.round(100 * share)}% of the training`;
    output.textContent = said;
    slider.setAttribute("aria-valuetext", said);
  };
  slider.addEventListener("input", show);
  document.getElementById("controls").hidden = false;
  slider.value = slider.max;
  show();
}
