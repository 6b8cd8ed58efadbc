// The players of the listening section: the versions of a clip, one of which is heard and seen at a moment.
"use strict";
{
  const all = [...document.querySelectorAll(".version audio, .version video")];

  const setUp = (player) => {
    const figures = [...player.querySelectorAll(".version")];
    const sounds = figures.map((figure) => figure.querySelector("audio, video"));
    const buttons = [...player.querySelectorAll(".versions button")];
    const [moment, play, repeat, clock, problem] = [".moment", ".play", ".repeat", ".clock", ".problem"].map((name) =>
      player.querySelector(name),
    );
    let chosen = 0;

    const show = () => {
      const sound = sounds[chosen];
      moment.value = sound.currentTime;
      clock.textContent = `${sound.currentTime.toFixed(2)} s`;
      play.textContent = sound.paused ? "Play" : "Pause";
    };
    const follow = () => {
      show();
      if (!sounds[chosen].paused) requestAnimationFrame(follow);
    };
    const tell = (error) => {
      // An AbortError says that the next version was chosen before this one began.
      if (error.name !== "AbortError") problem.textContent = `It can't be played: ${error.message}`;
    };
    const toggle = () => {
      if (sounds[chosen].paused) sounds[chosen].play().catch(tell);
      else sounds[chosen].pause();
    };
    const choose = (index) => {
      const before = sounds[chosen];
      const goesOn = !before.paused;
      before.pause();
      chosen = index;
      figures.forEach((figure, place) => { figure.hidden = place !== index; });
      buttons.forEach((button, place) => button.setAttribute("aria-pressed", place === index));
      sounds[chosen].currentTime = before.currentTime;
      if (goesOn) toggle();
      show();
    };
    const load = () => {
      player.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
      sounds.forEach((sound) => { sound.preload = "auto"; });
    };

    sounds.forEach((sound) => {
      sound.controls = false;
      sound.volume = 10 ** (sound.dataset.matchedDb / 20);
      sound.loop = repeat.checked;
      sound.addEventListener("play", () => {
        all.filter((other) => other !== sound).forEach((other) => other.pause());
        follow();
      });
      sound.addEventListener("pause", show);
      sound.addEventListener("seeked", show);
    });
    buttons.forEach((button, place) => button.addEventListener("click", () => choose(place)));
    play.addEventListener("click", toggle);
    repeat.addEventListener("change", () => sounds.forEach((sound) => { sound.loop = repeat.checked; }));
    moment.addEventListener("input", () => { sounds[chosen].currentTime = moment.value; });
    player.addEventListener("pointerenter", load, { once: true });
    player.addEventListener("focusin", load, { once: true });
    player.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const named = buttons.findIndex((button) => button.getAttribute("aria-keyshortcuts") === event.key);
      if (named >= 0) choose(named);
      if (event.key !== " " || event.target !== moment) return;
      event.preventDefault();
      toggle();
    });
  };

  document.querySelectorAll(".player").forEach(setUp);
}
