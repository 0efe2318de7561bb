/**
 * Which rows of a long list are to be drawn, and where. Browsers cap an element's height (Chrome
 * near 33.5 million pixels, Firefox near 17.9), and compositors count in floats that are coarser
 * than a pixel well below that, so a longer list scrolls in pages of the real
 * height that are shifted against the virtual one: small steps move pixel by pixel, a drag of the
 * scroll bar jumps in proportion.
 */

export const MAX_HEIGHT_PX = 4_000_000;
/** Rows drawn above and below what is seen. */
export const OVERSCAN_ROWS = 6;
/** In a stream all rows change at once, and those that nobody sees cost as much as the others. */
export const STREAM_OVERSCAN_ROWS = 2;

export interface RowRange {
  /** First row to draw. */
  from: number;
  /** One past the last. */
  to: number;
}

export class VirtualWindow {
  readonly #maxHeightPx: number;
  readonly #overscanRows: number;
  #count = 0;
  #rowPx = 26;
  #viewportPx = 0;
  #scrollTop = 0;
  /** What has to be added to the real scroll position to get the virtual one. */
  #shift = 0;

  constructor(maxHeightPx = MAX_HEIGHT_PX, overscanRows = OVERSCAN_ROWS) {
    this.#maxHeightPx = maxHeightPx;
    this.#overscanRows = overscanRows;
  }

  resize(count: number, rowPx: number, viewportPx: number): void {
    const virtual = this.virtualTop;
    // A bar that opens below takes some of the place: whoever stood at the end sees it still.
    const staysAtEnd =
      count === this.#count &&
      viewportPx < this.#viewportPx &&
      this.#maxVirtualTop > 0 &&
      this.isAtEnd;
    this.#count = count;
    this.#rowPx = rowPx;
    this.#viewportPx = viewportPx;
    this.#place(staysAtEnd ? this.#maxVirtualTop : Math.min(virtual, this.#maxVirtualTop));
  }

  /** Height of the element that makes the scroll bar. */
  get heightPx(): number {
    return Math.min(this.#virtualHeight, this.#maxHeightPx);
  }

  get scrollTop(): number {
    return this.#scrollTop;
  }

  get virtualTop(): number {
    return this.#scrollTop + this.#shift;
  }

  get range(): RowRange {
    const first = Math.floor(this.virtualTop / this.#rowPx);
    const seen = Math.ceil(this.#viewportPx / this.#rowPx) + 1;
    return {
      from: Math.max(0, Math.min(first - this.#overscanRows, this.#count)),
      to: Math.max(0, Math.min(first + seen + this.#overscanRows, this.#count)),
    };
  }

  /** Where a row stands inside the element of `heightPx`. */
  rowTop(index: number): number {
    return index * this.#rowPx - this.#shift;
  }

  /** The user scrolled. Returns the real position to set, which differs where a page was turned. */
  onScroll(scrollTop: number): number {
    const moved = scrollTop - this.#scrollTop;
    if (this.#maxShift === 0) {
      this.#scrollTop = scrollTop;
      this.#shift = 0;
    } else if (Math.abs(moved) < this.#viewportPx && !this.#isAtEdge(scrollTop)) {
      this.#scrollTop = scrollTop;
    } else {
      // A jump, or an end of the bar: the position on the bar says where in the list.
      const ratio = this.#maxReal === 0 ? 0 : scrollTop / this.#maxReal;
      this.#place(ratio * this.#maxVirtualTop);
      // Keep the bar where the hand holds it.
      this.#shift += this.#scrollTop - scrollTop;
      this.#scrollTop = scrollTop;
    }
    return this.#scrollTop;
  }

  /**
   * Scrolls no further than is needed for the row to be whole. Returns the real position to set.
   */
  reveal(index: number): number {
    const top = index * this.#rowPx;
    const bottom = top + this.#rowPx;
    if (top < this.virtualTop) this.#place(top);
    else if (bottom > this.virtualTop + this.#viewportPx) this.#place(bottom - this.#viewportPx);
    return this.#scrollTop;
  }

  /** Rows that fit whole. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.#viewportPx / this.#rowPx) - 1);
  }

  get isAtEnd(): boolean {
    return this.virtualTop >= this.#maxVirtualTop - 1;
  }

  get #virtualHeight(): number {
    return this.#count * this.#rowPx;
  }

  get #maxVirtualTop(): number {
    return Math.max(0, this.#virtualHeight - this.#viewportPx);
  }

  get #maxReal(): number {
    return Math.max(0, this.heightPx - this.#viewportPx);
  }

  get #maxShift(): number {
    return this.#maxVirtualTop - this.#maxReal;
  }

  #isAtEdge(scrollTop: number): boolean {
    return scrollTop <= 0 || scrollTop >= this.#maxReal;
  }

  /** Sets both positions from the virtual one. */
  #place(virtualTop: number): void {
    const target = Math.max(0, Math.min(virtualTop, this.#maxVirtualTop));
    const ratio = this.#maxVirtualTop === 0 ? 0 : target / this.#maxVirtualTop;
    this.#shift = Math.round(ratio * this.#maxShift);
    this.#scrollTop = target - this.#shift;
  }
}
