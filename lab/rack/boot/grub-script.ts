/**
 * Parser for the part of GRUB's script language that grub.cfg uses: commands, if, functions, menu entries.
 * @module
 */

export type Segment =
  { readonly text: string; readonly quoted: boolean } | { readonly variable: string; readonly quoted: boolean };
export type Word = readonly Segment[];

export type GrubNode =
  | { readonly kind: 'command'; readonly words: readonly Word[] }
  | {
      readonly kind: 'if';
      readonly branches: readonly { readonly condition: readonly GrubNode[]; readonly body: readonly GrubNode[] }[];
      readonly otherwise: readonly GrubNode[];
    }
  | { readonly kind: 'function'; readonly name: string; readonly body: readonly GrubNode[] }
  /** menuentry and submenu: the words between the keyword and the brace. */
  | {
      readonly kind: 'menu';
      readonly keyword: 'menuentry' | 'submenu';
      readonly words: readonly Word[];
      readonly body: readonly GrubNode[];
    };

type Token =
  | { readonly kind: 'word'; readonly word: Word; readonly line: number }
  | { readonly kind: 'end'; readonly line: number }
  | { readonly kind: '{' | '}'; readonly line: number };

export class GrubSyntaxError extends Error {
  override readonly name = 'GrubSyntaxError';
}

export function parseGrubScript(text: string): readonly GrubNode[] {
  const parser = new Parser(tokenise(text));
  const nodes = parser.statements([]);
  parser.expectNothing();
  return nodes;
}

const isPlain = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'word' &&
  token.word.length === 1 &&
  token.word[0] !== undefined &&
  'text' in token.word[0] &&
  !token.word[0].quoted &&
  token.word[0].text === text;

class Parser {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  statements(until: readonly string[]): readonly GrubNode[] {
    const nodes: GrubNode[] = [];
    for (;;) {
      while (this.tokens[this.at]?.kind === 'end') this.at += 1;
      const token = this.tokens[this.at];
      if (token === undefined || token.kind === '}' || until.some((word) => isPlain(token, word))) return nodes;
      nodes.push(this.statement());
    }
  }

  expectNothing(): void {
    const token = this.tokens[this.at];
    if (token !== undefined) throw new GrubSyntaxError(`line ${token.line}: syntax error`);
  }

  private statement(): GrubNode {
    const token = this.tokens[this.at];
    if (isPlain(token, 'if')) return this.conditional();
    if (isPlain(token, 'function')) {
      this.at += 1;
      const [name = ''] = this.words().map(literal);
      return { kind: 'function', name, body: this.block() };
    }
    for (const keyword of ['menuentry', 'submenu'] as const) {
      if (isPlain(token, keyword)) {
        this.at += 1;
        return { kind: 'menu', keyword, words: this.words(), body: this.block() };
      }
    }
    if (token?.kind !== 'word') throw new GrubSyntaxError(`line ${token?.line ?? 0}: syntax error`);
    for (const word of ['then', 'else', 'elif', 'fi', 'do', 'done']) {
      if (isPlain(token, word)) throw new GrubSyntaxError(`line ${token.line}: syntax error near ${word}`);
    }
    return { kind: 'command', words: this.words() };
  }

  private conditional(): GrubNode {
    const branches: { condition: readonly GrubNode[]; body: readonly GrubNode[] }[] = [];
    let otherwise: readonly GrubNode[] = [];
    do {
      this.at += 1;
      const condition = this.statements(['then']);
      this.keyword('then');
      branches.push({ condition, body: this.statements(['elif', 'else', 'fi']) });
    } while (isPlain(this.tokens[this.at], 'elif'));
    if (isPlain(this.tokens[this.at], 'else')) {
      this.at += 1;
      otherwise = this.statements(['fi']);
    }
    this.keyword('fi');
    return { kind: 'if', branches, otherwise };
  }

  private words(): Word[] {
    const words: Word[] = [];
    for (let token = this.tokens[this.at]; token?.kind === 'word'; token = this.tokens[this.at]) {
      words.push(token.word);
      this.at += 1;
    }
    return words;
  }

  private block(): readonly GrubNode[] {
    while (this.tokens[this.at]?.kind === 'end') this.at += 1;
    this.brace('{');
    const body = this.statements([]);
    this.brace('}');
    return body;
  }

  private brace(kind: '{' | '}'): void {
    const token = this.tokens[this.at];
    if (token?.kind !== kind) throw new GrubSyntaxError(`line ${token?.line ?? 'end'}: expected ${kind}`);
    this.at += 1;
  }

  private keyword(word: string): void {
    const token = this.tokens[this.at];
    if (!isPlain(token, word)) throw new GrubSyntaxError(`line ${token?.line ?? 'end'}: expected ${word}`);
    this.at += 1;
  }
}

const literal = (word: Word): string => word.map((segment) => ('text' in segment ? segment.text : '')).join('');

function tokenise(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let word: Segment[] | null = null;
  const flush = (): void => {
    if (word !== null) tokens.push({ kind: 'word', word, line });
    word = null;
  };
  const add = (segment: Segment): void => {
    word ??= [];
    const last = word.at(-1);
    if (last !== undefined && 'text' in last && 'text' in segment && last.quoted === segment.quoted) {
      word[word.length - 1] = { text: last.text + segment.text, quoted: last.quoted };
    } else word.push(segment);
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\' && text[at + 1] === '\n') {
      at += 1;
      line += 1;
    } else if (char === '\\') {
      add({ text: text[at + 1] ?? '', quoted: true });
      at += 1;
    } else if (char === '\n' || char === ';') {
      flush();
      tokens.push({ kind: 'end', line });
      if (char === '\n') line += 1;
    } else if (char === ' ' || char === '\t') {
      flush();
    } else if (char === '#' && word === null) {
      while (at + 1 < text.length && text[at + 1] !== '\n') at += 1;
    } else if ((char === '{' || char === '}') && word === null) {
      tokens.push({ kind: char, line });
    } else if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) throw new GrubSyntaxError(`line ${line}: unterminated quote`);
      add({ text: text.slice(at + 1, end), quoted: true });
      line += text.slice(at, end).split('\n').length - 1;
      at = end;
    } else if (char === '"') {
      add({ text: '', quoted: true });
      for (at += 1; text[at] !== '"'; at += 1) {
        const inner = text[at];
        if (inner === undefined) throw new GrubSyntaxError(`line ${line}: unterminated quote`);
        if (inner === '\\' && '$"\\'.includes(text[at + 1] ?? '')) {
          add({ text: text[at + 1] ?? '', quoted: true });
          at += 1;
        } else if (inner === '$') {
          const variable = variableAt(text, at);
          if (variable === null) add({ text: '$', quoted: true });
          else {
            add({ variable: variable.name, quoted: true });
            at += variable.length - 1;
          }
        } else add({ text: inner, quoted: true });
      }
    } else if (char === '$') {
      const variable = variableAt(text, at);
      if (variable === null) add({ text: '$', quoted: false });
      else {
        add({ variable: variable.name, quoted: false });
        at += variable.length - 1;
      }
    } else {
      add({ text: char, quoted: false });
    }
  }
  flush();
  return tokens;
}

function variableAt(text: string, at: number): { readonly name: string; readonly length: number } | null {
  const found = /^\$(?:\{(\w+|\?)\}|(\w+|\?))/.exec(text.slice(at, at + 80));
  return found === null ? null : { name: found[1] ?? found[2] ?? '', length: found[0].length };
}
