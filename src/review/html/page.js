(() => {
  "use strict";
  const all = () => [...document.querySelectorAll("details")];
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all().filter((one) => !one.open);
    folded.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let one = target; one; one = one.parentElement) if (one.matches("details")) one.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  const deeds = {
    open: () => all().forEach((one) => (one.open = true)),
    close: () => all().forEach((one) => (one.open = false)),
    copy: (button) => {
      const text = button.parentElement.querySelector("code");
      const said = (words) => {
        button.textContent = words;
        setTimeout(() => (button.textContent = "Copy"), 2000);
      };
      const select = () => {
        getSelection().selectAllChildren(text);
        said("Selected");
      };
      if (!navigator.clipboard) return select();
      navigator.clipboard.writeText(text.textContent).then(() => said("Copied"), select);
    },
  };
  for (const button of document.querySelectorAll("button[data-deed]")) {
    button.hidden = false;
    button.addEventListener("click", () => deeds[button.dataset.deed](button));
  }
})();
