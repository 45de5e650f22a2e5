import type { FilterNode } from "../language/ast.ts";
import { complete } from "../language/complete.ts";
import type { CompletionItem } from "../language/complete-words.ts";
import { printName } from "../language/print-name.ts";
import { quoted } from "../language/string-literal.ts";
import { streamIdField } from "../table/stream-id.ts";
import { askFields, askFieldValues, type Counted, type Question } from "./questions.ts";

export interface CompletionRequest {
  readonly text: string;
  /** An offset of the text, in UTF-16 units. */
  readonly cursor: number;
  /** Items at most. */
  readonly limit: number;
}

/** What an editor offers: an item takes the place of `text[from … to]`. */
export interface CompletionAnswer {
  readonly from: number;
  readonly to: number;
  readonly items: readonly CompletionItem[];
}

/** Values looked through for those that begin as was begun. */
const valuesLooked = 1_000;

/** The words, fields and values that can stand at a place of a query; fields and values are those of the question's range, the most frequent first. */
export async function askCompletion(
  question: Omit<Question, "query">,
  { text, cursor, limit }: CompletionRequest,
): Promise<CompletionAnswer> {
  const place = complete(text, cursor);
  const all: FilterNode = { kind: "any" };
  const asked: Question = { ...question, query: { filter: all, pipes: [] } };
  const [stored, fields]: [CompletionItem[], CompletionItem[]] = [[], []];
  if (place.valuesOf !== undefined && hasValues(place.valuesOf)) {
    const field = place.valuesOf;
    const { values } = await askFieldValues(asked, { field, limit: valuesLooked });
    const print = text[place.from] === '"' ? quoted : printName;
    const valueItem = (name: string): CompletionItem => ({ text: print(name), kind: "value" });
    stored.push(...begunItems(values, place.begun, valueItem));
  }
  if (place.fields !== undefined) {
    const { values } = await askFields(asked);
    const colon = place.fields.colon ? ":" : "";
    const fieldItem = (name: string): CompletionItem => ({
      text: printName(name) + colon,
      kind: "field",
    });
    fields.push(...begunItems(values, place.begun, fieldItem));
    const isId = streamIdField.startsWith(place.begun.toLowerCase());
    if (isId) fields.push({ ...fieldItem(streamIdField), detail: "of the stream" });
  }
  // What was begun is rather one of the store's fields than a fixed word; where nothing was, the words come first.
  const rest = place.begun === "" ? [...place.items, ...fields] : [...fields, ...place.items];
  return { from: place.from, to: place.to, items: [...stored, ...rest].slice(0, limit) };
}

/** Messages and times are different in every record, or nearly so. */
function hasValues(field: string): boolean {
  return field !== "_msg" && field !== "_time";
}

function begunItems(
  found: readonly Counted[],
  begun: string,
  itemOf: (name: string) => CompletionItem,
): readonly CompletionItem[] {
  const wanted = begun.toLowerCase();
  return found
    .filter(({ name }) => name.toLowerCase().startsWith(wanted))
    .map(({ name, hits }) => ({ ...itemOf(name), detail: `${hits} records` }));
}
