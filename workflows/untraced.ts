/**
 * Does something that makes promises, none of them with a stack trace. Temporal's sandbox takes one for every promise, for the
 * page's "Call Stack": a third of what a step costs in the sandbox, to show lines of ours. The author's own `await` keeps its trace.
 *
 * `act` is to call no code of the author's: errors made in it have no trace either.
 */
export function untraced<T>(act: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return act();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
