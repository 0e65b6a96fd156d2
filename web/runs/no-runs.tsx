/** Where no run is shown: what would bring one. */
export function NoRuns({ filtered }: { filtered: boolean }) {
  if (filtered) return <p className="text-faint">No run is like this. Take a filter away to see more.</p>;
  return (
    <section className="max-w-2xl rounded-lg border border-line bg-panel p-5">
      <h2 className="mb-2 font-semibold">There is no run yet</h2>
      <p className="mb-3">
        A workflow is a file in <code>.agent/workflows/definitions</code> of your repository. In its folder, this makes one and
        runs it:
      </p>
      <pre className="overflow-x-auto rounded-md bg-ground p-3 text-sm">{"longhaul init\nlonghaul run hello --watch"}</pre>
    </section>
  );
}
