import type { ButtonHTMLAttributes } from "react";

export function Button({
  main = false,
  className = "",
  ...others
}: ButtonHTMLAttributes<HTMLButtonElement> & { /** What is most likely wanted here. @default false */ main?: boolean }) {
  const look = main ? "border-accent bg-accent text-on-accent" : "border-line bg-panel hover:border-faint";
  const size = "min-h-9 cursor-pointer rounded-md border px-3 py-1 disabled:cursor-default disabled:opacity-50";
  return <button type="button" className={`${size} ${look} ${className}`} {...others} />;
}
