import { Link, Outlet } from "@tanstack/react-router";
import { useState } from "react";
import { useConnection } from "../live.js";
import { setTheme, type Theme, theme } from "./theme.js";

const PAGES = [
  { to: "/", name: "Board" },
  { to: "/runs", name: "Runs" },
  { to: "/waiting", name: "Waiting for you" },
] as const;

/** What is around every page. */
export function Shell() {
  return (
    <>
      <a href="#content" className="sr-only focus:not-sr-only">
        To the content
      </a>
      <header className="flex flex-wrap items-center gap-x-5 gap-y-1 border-line border-b bg-panel px-4 py-2">
        <span className="font-semibold">Longhaul</span>
        <nav aria-label="Pages" className="flex flex-wrap gap-1">
          {PAGES.map(({ to, name }) => (
            <Link
              key={to}
              to={to}
              activeOptions={{ exact: true, includeSearch: false }}
              activeProps={{ className: "bg-ground font-medium text-accent" }}
              className="rounded px-2.5 py-1.5 hover:bg-ground"
            >
              {name}
            </Link>
          ))}
        </nav>
        <div className="ml-auto flex items-center gap-3">
          <ConnectionState />
          <ThemeChoice />
        </div>
      </header>
      <main id="content" className="p-4">
        <Outlet />
      </main>
    </>
  );
}

const SAYS = { connecting: "connecting …", live: "live", lost: "no connection; catches up by itself" };

function ConnectionState() {
  const connection = useConnection();
  const colour = connection === "lost" ? "text-bad" : "text-faint";
  return (
    <span role="status" className={`text-sm ${colour}`}>
      {SAYS[connection]}
    </span>
  );
}

function ThemeChoice() {
  const [chosen, choose] = useState(theme);
  return (
    <label className="text-faint text-sm">
      <span className="sr-only">Colours</span>
      <select
        value={chosen}
        className="rounded border border-line bg-panel px-1 py-0.5"
        onChange={({ target }) => {
          const next = target.value as Theme; // one of the options below
          setTheme(next);
          choose(next);
        }}
      >
        <option value="system">as the system</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </select>
    </label>
  );
}
