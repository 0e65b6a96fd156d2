/** Lets so many things of one name happen at once, within this process; the others wait, and whoever came first is next. */
export class Lanes {
  private readonly named = new Map<string, { busy: number; waiting: (() => void)[] }>();

  /** @param most at once, of one name */
  constructor(private readonly most: number) {}

  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const lanes = this.named.get(name) ?? { busy: 0, waiting: [] };
    this.named.set(name, lanes);
    if (lanes.busy < this.most) lanes.busy++;
    else await new Promise<void>((resolve) => lanes.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = lanes.waiting.shift();
      if (next) next();
      else if (--lanes.busy === 0) this.named.delete(name);
    }
  }
}
