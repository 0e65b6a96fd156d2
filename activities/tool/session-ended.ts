/** The other end does not know this session any more: it has not begun what it was asked for. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}
