import type { UserBinary } from "./user-binary.js";

export const GROK: UserBinary = {
  title: "Grok Build",
  program: "grok",
  setting: "LONGHAUL_GROK_BIN",
  package: "@xai-official/grok",
  tested: "1.0",
};
