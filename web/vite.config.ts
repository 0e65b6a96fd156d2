import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The page, built into `dist/web`. While it is worked on, `npx vite web` serves it beside a Longhaul on its default port. */
export default defineConfig({
  plugins: [react(), tailwind()],
  build: { outDir: "../dist/web", emptyOutDir: true, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://127.0.0.1:3456", "/login": "http://127.0.0.1:3456" } },
});
