/** How a click on a value changes the text of a query. */

/** The query with one more condition in front of its pipes. */
export function withCondition(
  query: string,
  field: string,
  value: string,
  isWanted: boolean,
): string {
  const condition = `${isWanted ? "" : "!"}${name(field)}:=${JSON.stringify(value)}`;
  const at = pipeStart(query);
  const filter = query.slice(0, at).trim();
  const pipes = query.slice(at).trim();
  const joined = filter === "" || filter === "*" ? condition : `${grouped(filter)} ${condition}`;
  return pipes === "" ? joined : `${joined} ${pipes}`;
}

/** The part of a query before its first pipe; `*` where there is none. */
export function filterOf(query: string): string {
  return query.slice(0, pipeStart(query)).trim() || "*";
}

function name(field: string): string {
  return /^[\w.]+$/.test(field) ? field : JSON.stringify(field);
}

/** An `or` binds weaker than what is put behind it. */
function grouped(filter: string): string {
  return /\bor\b/i.test(filter) ? `(${filter})` : filter;
}

/** Where the first pipe begins that is not inside quotes or brackets. */
function pipeStart(query: string): number {
  let quote = "";
  let depth = 0;
  for (let at = 0; at < query.length; at++) {
    const char = query[at] as string;
    if (quote !== "") {
      if (char === "\\") at++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'" || char === "`") quote = char;
    else if ("([{".includes(char)) depth++;
    else if (")]}".includes(char)) depth--;
    else if (char === "|" && depth === 0) return at;
  }
  return query.length;
}
