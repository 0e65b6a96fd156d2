import { z } from "zod";

/** A moment, UTC with milliseconds: `2025-01-25T10:00:00.000Z`. */
export const Time = z.iso.datetime({ precision: 3 });
