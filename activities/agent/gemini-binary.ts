import type { UserBinary } from "./user-binary.js";

export const GEMINI: UserBinary = {
  title: "Gemini CLI",
  program: "gemini",
  setting: "LONGHAUL_GEMINI_BIN",
  package: "@google/gemini-cli",
  tested: "0.61",
};
