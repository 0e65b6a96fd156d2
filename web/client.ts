import { QueryClient } from "@tanstack/react-query";
import { ApiError, LonghaulClient } from "../sdk/client.js";

/** The API that has served this page; who asks is known by the login's cookie. */
export const longhaul = new LonghaulClient({ url: location.origin, token: null });

/** What the page knows. Kept right by `live.ts`: nothing is asked for again by itself. */
export const known = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      retry: (times, error) => times < 5 && !isRefused(error),
    },
  },
});

/** The API has said no, and would again. */
export function isRefused(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status < 500;
}
