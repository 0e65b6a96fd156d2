let title: string | undefined;

/** Said by the set-up file. */
export function setCurrentTest(name: string | undefined): void {
  title = name;
}

/** Title of the test that is under way, or was last; undefined outside of tests. */
export function currentTest(): string | undefined {
  return title;
}
