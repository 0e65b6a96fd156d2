const KEY = "longhaul.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export type Theme = "light" | "dark" | "system";

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function setTheme(next: Theme): void {
  localStorage.setItem(KEY, next);
  apply();
}

/** From now on the page looks as was chosen, or as the system says. */
export function followTheme(): void {
  dark.addEventListener("change", apply);
  apply();
}

function apply(): void {
  const chosen = theme();
  document.documentElement.dataset.theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
}
