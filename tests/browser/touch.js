// Looks for links and controls that a finger cannot hit, as WCAG 2.2, 2.5.8 says it: each is at least 24 by 24 pixels, or
// so far from the others that a circle of 24 pixels around its middle meets no other one and no other circle.
// Returns an array of sentences.
() => {
  "use strict";
  const LEAST = 24;
  const AT_MOST = 8; // sentences
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const WORDS_OF_A_SENTENCE = 3;

  const name = (element) => {
    const words = (element.textContent || element.ariaLabel || element.name || "").trim().replace(/\s+/g, " ");
    const parent = element.parentElement;
    return `<${parent.localName}.${[...parent.classList].join(".")}> <${element.localName}> ${JSON.stringify(words.slice(0, 60))}`;
  };
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  // In a sentence, the lines give the height. The skip link is for the keyboard alone.
  const isExempt = (element) => {
    if (element.matches(".skip")) return true;
    // The table below a chart has the same links.
    if (element.closest("figure svg") && element.closest("figure").querySelector("table a")) return true;
    if (getComputedStyle(element).display !== "inline") return false;
    let block = element.parentElement;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    let words = 0;
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!text.parentElement.closest(CONTROLS)) words += (text.data.match(/\p{L}{2,}/gu) || []).length;
    }
    return words >= WORDS_OF_A_SENTENCE;
  };
  const target = (element) => {
    // A click on the label is one on the box.
    const area = element.matches("[type=checkbox]") ? (element.closest("label") ?? element) : element;
    const { left, right, top, bottom, width, height } = area.getBoundingClientRect();
    // Half a pixel is lost where a browser rounds.
    const isSmall = width < LEAST - 0.5 || height < LEAST - 0.5;
    return { element, left, right, top, bottom, width, height, isSmall, x: (left + right) / 2, y: (top + bottom) / 2 };
  };
  const toRectangle = (one, other) =>
    Math.hypot(Math.max(other.left - one.x, 0, one.x - other.right), Math.max(other.top - one.y, 0, one.y - other.bottom));
  const isTooNear = (one, other) =>
    toRectangle(one, other) < LEAST / 2 - 0.5 || (other.isSmall && Math.hypot(one.x - other.x, one.y - other.y) < LEAST - 0.5);

  const targets = [...document.querySelectorAll(CONTROLS)].filter((each) => isShown(each) && !isExempt(each)).map(target);
  const wrong = [];
  for (const one of targets.filter((each) => each.isSmall)) {
    const near = targets.find((other) => other !== one && isTooNear(one, other));
    if (near) {
      const size = `${one.width.toFixed(0)} x ${one.height.toFixed(0)}`;
      wrong.push(`too small to touch, ${size} pixels: ${name(one.element)}, near ${name(near.element)}`);
    }
  }
  return [...wrong.slice(0, AT_MOST), ...(wrong.length > AT_MOST ? [`... and ${wrong.length - AT_MOST} more like this`] : [])];
}
