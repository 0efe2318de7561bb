/**
 * HPACK's Huffman code (RFC 7541, 5.2 and appendix B). The code is canonical: codes of a length are
 * consecutive in symbol order, so the lengths alone define it.
 */

/** Code length in bits of the octets 0 to 255 and of the end-of-string symbol. */
const CODE_LENGTHS = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7
7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7
7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23
21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20
22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21
21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27
28 27 27 27 27 27 26 30
`
  .trim()
  .split(/\s+/)
  .map(Number);

const EOS = 256;

interface Node {
  /** Index of the state, for inner nodes. */
  state: number;
  symbol: number | undefined;
  children: [Node | undefined, Node | undefined];
  /** Only ones lead here from the root, at most seven: what a string may be padded with. */
  padding: boolean;
}

/**
 * The decoder takes four bits at a time: (state << 4 | bits) leads to the next state and to at most
 * one symbol, as the shortest code has five bits.
 */
interface DecodeTable {
  /** Next state; -1 where no string may go. */
  readonly next: Int16Array;
  /** Symbol that is complete with these bits; -1 if none. */
  readonly symbol: Int16Array;
  /** 1 where a string may end. */
  readonly accepting: Uint8Array;
}

const TABLE = buildTable();

/** Decodes into latin1; undefined if the bytes are no Huffman string. */
export function huffmanDecode(bytes: Buffer, start: number, end: number): string | undefined {
  const { next, symbol, accepting } = TABLE;
  const octets: number[] = [];
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    for (const bits of [byte >> 4, byte & 15]) {
      const key = (state << 4) | bits;
      const emitted = symbol[key] ?? -1;
      if (emitted >= 0) octets.push(emitted);
      state = next[key] ?? -1;
      if (state < 0) return undefined;
    }
  }
  if (accepting[state] !== 1) return undefined;
  return Buffer.from(octets).toString('latin1');
}

function buildTable(): DecodeTable {
  const states = buildTree();
  const next = new Int16Array(states.length * 16);
  const symbol = new Int16Array(states.length * 16).fill(-1);
  const accepting = Uint8Array.from(states, (node) => (node.padding ? 1 : 0));
  const root = states[0];
  for (const from of states) {
    for (let bits = 0; bits < 16; bits++) {
      const key = (from.state << 4) | bits;
      let node: Node | undefined = from;
      for (let shift = 3; shift >= 0 && node; shift--) {
        node = node.children[((bits >> shift) & 1) as 0 | 1];
        if (node?.symbol === undefined) continue;
        // A string that spells out the end-of-string symbol is an error (RFC 7541, 5.2).
        if (node.symbol === EOS) {
          node = undefined;
        } else {
          symbol[key] = node.symbol;
          node = root;
        }
      }
      next[key] = node ? node.state : -1;
    }
  }
  return { next, symbol, accepting };
}

/** The inner nodes of the code's tree, the root first. */
function buildTree(): Node[] {
  const states: Node[] = [];
  const inner = (padding: boolean): Node => {
    const children: Node['children'] = [undefined, undefined];
    const node: Node = { state: states.length, symbol: undefined, children, padding };
    states.push(node);
    return node;
  };
  const root = inner(true);
  for (const { symbol, code, length } of canonicalCodes()) {
    let node = root;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = ((code >> bit) & 1) as 0 | 1;
      const depth = length - bit;
      let child = node.children[side];
      if (!child) {
        const leaf: Node = { state: -1, symbol, children: [undefined, undefined], padding: false };
        child = bit === 0 ? leaf : inner(node.padding && side === 1 && depth <= 7);
        node.children[side] = child;
      }
      node = child;
    }
  }
  return states;
}

function canonicalCodes(): { symbol: number; code: number; length: number }[] {
  const symbols = CODE_LENGTHS.map((length, symbol) => ({ symbol, code: 0, length }));
  symbols.sort((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let previous = symbols[0]?.length ?? 0;
  for (const entry of symbols) {
    code <<= entry.length - previous;
    previous = entry.length;
    entry.code = code;
    code += 1;
  }
  return symbols;
}
