import "./no-eval.js";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { known } from "./client.js";
import { live } from "./live.js";
import { router } from "./routes.js";
import { followTheme } from "./shell/theme.js";
import "./style.css";

followTheme();
live.start();
createRoot(document.getElementById("page") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={known}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
