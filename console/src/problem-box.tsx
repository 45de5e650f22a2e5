import { useState } from "preact/hooks";
import { type Problem, setKey } from "./api.ts";

/** What the service said instead of an answer; asks for a key where that is what it wants. */
export function ProblemBox(props: {
  readonly problem: Problem;
  /** What was asked; a mistake in it is pointed at. */
  readonly query: string;
  /** Called when a key was given. */
  readonly onKey: () => void;
}) {
  const { problem, query, onKey } = props;
  const caret =
    problem.column === undefined
      ? undefined
      : `${query.split("\n")[(problem.line ?? 1) - 1] ?? ""}\n${" ".repeat(problem.column - 1)}^`;
  return (
    <div class="problem" role="alert">
      <p>
        {problem.detail}
        {problem.suggestion === undefined ? "" : ` Did you mean ${problem.suggestion}?`}
      </p>
      {caret !== undefined && <pre>{caret}</pre>}
      {problem.status === 401 && <KeyForm onKey={onKey} />}
    </div>
  );
}

function KeyForm({ onKey }: { readonly onKey: () => void }) {
  const [key, setText] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setKey(key.trim());
        onKey();
      }}
    >
      <label>
        Key{" "}
        <input
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary">
        Use
      </button>
    </form>
  );
}
