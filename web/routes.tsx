import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Board } from "./board/board.js";
import { filterOf } from "./runs/filter.js";
import { RunsPage } from "./runs/runs-page.js";
import { Shell } from "./shell/shell.js";
import { Problem } from "./ui/problem.js";
import { WaitingPage } from "./waiting/waiting-page.js";

const root = createRootRoute({
  component: Shell,
  errorComponent: ({ error }) => <Problem error={error} />,
  notFoundComponent: () => <p>There is no such page.</p>,
});

const boardRoute = createRoute({ getParentRoute: () => root, path: "/", validateSearch: filterOf, component: Board });
const runsRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: filterOf,
  component: RunsPage,
});
const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  validateSearch: ({ step }: Record<string, unknown>): { step?: number } =>
    Number.isInteger(step) ? { step: Number(step) } : {},
  component: lazyRouteComponent(() => import("./run/run-page.js"), "RunPage"),
});
const waitingRoute = createRoute({ getParentRoute: () => root, path: "/waiting", component: WaitingPage });

export const router = createRouter({
  routeTree: root.addChildren([boardRoute, runsRoute, runRoute, waitingRoute]),
  defaultPreload: false,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
