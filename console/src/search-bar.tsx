import type { Ref } from "preact";
import { lastChoices, localText, type TimeChoice } from "./range.ts";

const historyName = "logkeep.history";
const historyMax = 50;

export function history(): string[] {
  try {
    return JSON.parse(localStorage.getItem(historyName) ?? "[]") as string[];
  } catch {
    return [];
  }
}

/** Puts a query in front of those asked before. */
export function remember(query: string): void {
  const others = history().filter((each) => each !== query);
  localStorage.setItem(historyName, JSON.stringify([query, ...others].slice(0, historyMax)));
}

export function SearchBar(props: {
  readonly text: string;
  readonly input: Ref<HTMLInputElement>;
  readonly choice: TimeChoice;
  readonly isTailing: boolean;
  readonly onText: (text: string) => void;
  readonly onSearch: () => void;
  readonly onChoice: (choice: TimeChoice) => void;
  readonly onTail: () => void;
}) {
  const { text, choice, isTailing } = props;
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        props.onSearch();
      }}
    >
      <input
        ref={props.input}
        class="query"
        type="text"
        aria-label="query"
        placeholder="error service:=api | stats by (host) count() n"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        list="history"
        value={text}
        onInput={(event) => props.onText(event.currentTarget.value)}
      />
      <datalist id="history">
        {history().map((query) => (
          <option key={query} value={query} />
        ))}
      </datalist>
      <TimePicker choice={choice} onChoice={props.onChoice} />
      <button type="submit" class="primary">
        Search
      </button>
      <button
        type="button"
        class={isTailing ? "tail on" : "tail"}
        aria-pressed={isTailing}
        onClick={props.onTail}
      >
        {isTailing ? "Stop" : "Live tail"}
      </button>
    </form>
  );
}

function TimePicker({
  choice,
  onChoice,
}: {
  readonly choice: TimeChoice;
  readonly onChoice: (choice: TimeChoice) => void;
}) {
  const value = choice.kind === "last" ? String(choice.minutes) : "between";
  const setBetween = (end: "from" | "to", text: string): void => {
    const ms = Date.parse(text);
    if (choice.kind === "between" && !Number.isNaN(ms)) onChoice({ ...choice, [end]: ms });
  };
  return (
    <>
      <select
        class="span"
        aria-label="time range"
        value={value}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          const now = Date.now();
          if (chosen === "between") onChoice({ kind: "between", from: now - 3_600_000, to: now });
          else onChoice({ kind: "last", minutes: Number(chosen) });
        }}
      >
        {lastChoices.map(({ minutes, label }) => (
          <option key={minutes} value={String(minutes)}>
            last {label}
          </option>
        ))}
        <option value="between">between …</option>
      </select>
      {choice.kind === "between" && (
        <span class="between">
          <input
            type="datetime-local"
            step="1"
            aria-label="from"
            value={localText(choice.from)}
            onChange={(event) => setBetween("from", event.currentTarget.value)}
          />
          <input
            type="datetime-local"
            step="1"
            aria-label="to"
            value={localText(choice.to)}
            onChange={(event) => setBetween("to", event.currentTarget.value)}
          />
        </span>
      )}
    </>
  );
}
