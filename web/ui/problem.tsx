import { ApiError, UnreachableError } from "../../sdk/client.js";

/** What went wrong, and the way out where there is one. */
export function Problem({ error }: { error: unknown }) {
  return (
    <div role="alert" className="my-3 rounded-md border border-bad p-3">
      {isLoggedOut(error) ? <LoggedOut /> : <Words error={error} />}
    </div>
  );
}

function isLoggedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

function LoggedOut() {
  return (
    <p>
      This browser is not logged in. <code className="rounded bg-ground px-1">longhaul open</code> prints an address that logs it
      in; it is good once, for a minute.
    </p>
  );
}

function Words({ error }: { error: unknown }) {
  if (error instanceof UnreachableError) return <p>Longhaul does not answer. The page goes on by itself when it does.</p>;
  if (!(error instanceof ApiError)) return <p>{error instanceof Error ? error.message : String(error)}</p>;
  return (
    <>
      <p>{error.message}</p>
      {error.problems.length > 0 && (
        <ul className="mt-1 list-disc pl-5">
          {error.problems.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              {path} {message}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
