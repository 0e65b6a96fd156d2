import { serve } from "../../local/serve.js";

/** `npm start` with stand-in children: arguments are their script and journal. */
const [, , script = "", journal = ""] = process.argv;
const children = { worker: { script, args: ["worker", journal] }, api: { script, args: ["api", journal] } };
serve(children).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
