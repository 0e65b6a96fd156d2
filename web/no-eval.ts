import { z } from "zod";

// The page may not make code of text, which zod would try as a schema is made: imported before all schemas.
z.config({ jitless: true });
