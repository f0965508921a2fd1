// Gives the focus to each link and control of a page in turn, as the Tab key does, and returns an array of sentences
// about what is wrong. A key must have been pressed before: else the browser marks no focus that a script gives.
() => {
  "use strict";
  const LEAST_CONTRAST = 3; // WCAG 2.2, 1.4.11
  const AT_MOST = 5; // sentences of one kind
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";

  const name = (element) => {
    const words = (element.textContent || element.ariaLabel || "").trim().replace(/\s+/g, " ").slice(0, 60);
    return `<${element.localName}> ${JSON.stringify(words)}`;
  };
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const colour = (text) => {
    const numbers = (text.match(/[\d.]+/g) || []).map(Number);
    if (!text.startsWith("rgb")) throw new Error(`cannot read the colour ${text}`);
    return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.slice(0, 3).map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor);
      if (found[3] === 1) return found;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isHidden = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { clipPath, overflowX } = getComputedStyle(each);
      if (clipPath !== "none" || (overflowX === "hidden" && each.offsetWidth <= 1)) return true;
    }
    return false;
  };
  // What scrolls in a place of its own is where that place is, seen from outside.
  const placeOf = (element, other) => {
    let place = element;
    for (let each = element.parentElement; each && !each.contains(other); each = each.parentElement) {
      if (each.scrollHeight > each.clientHeight && getComputedStyle(each).overflowY !== "visible") place = each;
    }
    return [...place.getClientRects()];
  };
  const isBefore = (one, other) => {
    const last = placeOf(one, other).at(-1), [first] = placeOf(other, one);
    const isAbove = first.bottom <= last.top + 1, isLeft = first.right <= last.left + 1;
    // A column to the right begins at the top again.
    return !(isAbove && first.left < last.right) && !(isLeft && first.top < last.bottom - 1 && !isAbove);
  };

  const controls = [...document.querySelectorAll(CONTROLS)].filter(shown);
  const unreached = [], unseen = [], pale = [], disordered = [];
  controls.forEach((each, at) => {
    if (each.disabled) return;
    each.focus();
    if (document.activeElement !== each || each.tabIndex < 0) {
      unreached.push(`the keyboard does not reach ${name(each)}`);
      return;
    }
    const style = getComputedStyle(each);
    if (isHidden(each) || !each.matches(":focus-visible") || style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) {
      unseen.push(`the focus cannot be seen on ${name(each)}`);
    } else {
      const found = contrast(colour(style.outlineColor), ground(each.parentElement));
      if (found < LEAST_CONTRAST) pale.push(`the focus is pale, contrast ${found.toFixed(2)}, on ${name(each)}`);
    }
    if (each.tabIndex > 0) disordered.push(`the focus has an order of its own on ${name(each)}`);
    // The first one leads to the content, and is outside the window while it has no focus.
    if (at > 1 && !isBefore(controls[at - 1], each)) {
      disordered.push(`the focus goes back from ${name(controls[at - 1])} to ${name(each)}`);
    }
  });
  document.activeElement.blur();
  return [unreached, unseen, pale, disordered].flatMap((each) => each.slice(0, AT_MOST));
}
