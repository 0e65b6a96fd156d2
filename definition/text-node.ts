import type { Lines } from "./lines.js";
import { below, type Entry, type List, type Mapping, type Node, type Place, type Scalar } from "./node.js";

/** A place in a text. What people are told of it is worked out when they are told, which of most places they never are. */
export class TextPlace implements Place {
  /** @param within what holds it, at this key or index; without a key it is of the same path, with nothing of none. */
  constructor(
    private readonly lines: Lines,
    private readonly offset: number,
    private readonly within?: Pick<Place, "path">,
    private readonly key?: string | number,
  ) {}

  get path(): string {
    const path = this.within?.path ?? "";
    return this.key === undefined ? path : below(path, this.key);
  }

  get line(): number {
    return this.lines.at(this.offset).line;
  }

  get column(): number {
    return this.lines.at(this.offset).column;
  }
}

abstract class TextNode implements Place {
  constructor(private readonly place: Place) {}

  get path(): string {
    return this.place.path;
  }

  get line(): number {
    return this.place.line;
  }

  get column(): number {
    return this.place.column;
  }
}

export class TextScalar extends TextNode implements Scalar {
  readonly kind = "scalar";

  constructor(
    place: Place,
    readonly value: Scalar["value"],
    readonly raw: string,
  ) {
    super(place);
  }
}

export class TextList extends TextNode implements List {
  readonly kind = "list";

  constructor(
    place: Place,
    readonly items: Node[],
  ) {
    super(place);
  }
}

export class TextMap extends TextNode implements Mapping {
  readonly kind = "map";

  constructor(
    place: Place,
    readonly entries: Entry[],
  ) {
    super(place);
  }
}
